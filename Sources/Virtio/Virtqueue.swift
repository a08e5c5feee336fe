import GuestMemory

/// The device's side of a running split virtqueue.
///
/// ```swift
/// repeat {
///   queue.disableNotifications()
///   while let chain = try queue.pop() {
///     let written = answer(chain)
///     queue.push(head: chain.head, writtenByteCount: written)
///   }
/// } while queue.enableNotifications()
/// if queue.needsNotification() { interrupt() }
/// ```
/// Chains may be pushed in any order and long after they were popped. Nothing here allocates in steady state, and no
/// value that a driver can write traps. Owned by one thread.
@safe public final class Virtqueue {
  /// Descriptors in the ring.
  public let size: Int
  /// The index in the avail ring of the next chain; what a later activation goes on at.
  public private(set) var nextAvail: UInt16
  /// The index in the used ring of the next answer.
  public private(set) var nextUsed: UInt16
  /// How many chains were popped and not pushed yet.
  public private(set) var inFlightCount = 0

  private var isInFlight: [Bool]
  private var config: VirtqueueConfig
  private let memory: GuestMemory
  private var rings: Rings
  private var generation: UInt64
  private let chain: DescriptorChain
  private let hasEventIndex: Bool
  private let allowsIndirect: Bool
  private let notifiesOnEmpty: Bool

  /// `nextUsed` when the driver's wish was looked at last; nil before the first time.
  private var notifiedUsed: UInt16?
  private var hasPushed = false
  /// Answers given while the ring was outside guest memory, which it is for a moment while regions are replaced.
  private var heldBack: [(head: UInt16, writtenByteCount: UInt32)] = []

  init(config: VirtqueueConfig, memory: GuestMemory, rings: Rings) {
    size = Int(config.size)
    nextAvail = config.nextAvail
    // What the ring says holds at a resume too: nothing else writes it while the queue is stopped.
    nextUsed = rings.usedIndex.loadAcquiring()
    isInFlight = Array(repeating: false, count: size)
    self.config = config
    self.memory = memory
    self.rings = rings
    generation = memory.generation
    chain = DescriptorChain(memory: memory, size: Int(config.size))
    hasEventIndex = config.features.contains(.eventIndex)
    allowsIndirect = config.features.contains(.indirectDescriptors)
    notifiesOnEmpty = config.features.contains(.notifyOnEmpty)
  }

  // MARK: Chains

  /// The next chain that the driver made available, or nil. It is good until the next call.
  public func pop() throws(VirtqueueError) -> DescriptorChain? {
    try resolve()
    let available = rings.availIndex.loadAcquiring()
    let waiting = Int(available &- nextAvail)
    if waiting == 0 { return nil }
    guard waiting <= size else { throw .availIndexJumped(from: nextAvail, to: available, size: size) }
    let head = rings.availEntry(nextAvail)
    guard Int(head) < size else { throw .headOutOfRange(head: head, size: size) }
    // This also bounds what a device has to remember of chains that it answers later.
    guard !isInFlight[Int(head)] else { throw .headInFlight(head: head) }
    // SAFETY: `Rings` found `size` descriptors there.
    let table = unsafe DescriptorTable(rings.descriptors, count: size)
    try chain.gather(head: head, table: table, allowsIndirect: allowsIndirect)
    nextAvail &+= 1
    inFlightCount += 1
    isInFlight[Int(head)] = true
    return chain
  }

  /// Gives a popped chain back to the driver. A head that is not in flight is ignored.
  ///
  /// - Parameter writtenByteCount: bytes written to the chain, counted from its first writable byte.
  public func push(head: UInt16, writtenByteCount: UInt32) {
    guard Int(head) < size, isInFlight[Int(head)] else { return }
    isInFlight[Int(head)] = false
    inFlightCount -= 1
    guard isResolved() else {
      heldBack.append((head, writtenByteCount))
      return
    }
    publish(head, writtenByteCount)
  }

  // MARK: Notifications

  /// Whether the driver wants an interrupt for what was pushed since the last call. Call it after a batch of pushes.
  public func needsNotification() -> Bool {
    guard hasPushed, isResolved() else { return false }
    hasPushed = false
    // Between storing used.idx and loading what the driver wishes; the driver does the same the other way round.
    fullMemoryFence()
    let old = notifiedUsed
    notifiedUsed = nextUsed
    if notifiesOnEmpty && inFlightCount == 0 && rings.availIndex.loadRelaxed() == nextAvail { return true }
    // VIRTQ_AVAIL_F_NO_INTERRUPT is bit 0.
    guard hasEventIndex else { return rings.availFlags.loadRelaxed() & 1 == 0 }
    guard let old else { return true }
    let event = rings.usedEvent.loadRelaxed()
    return nextUsed &- event &- 1 < nextUsed &- old
  }

  /// Tells the driver that kicks are not needed for now. It may kick none the less.
  public func disableNotifications() {
    // With EVENT_IDX the old avail_event is passed by, and so says it already.
    guard !hasEventIndex, isResolved() else { return }
    rings.usedFlags.storeRelaxed(1)
  }

  /// Asks the driver for a kick when it makes the next chain available.
  ///
  /// - Returns: whether a chain has come before it could know: pop again then.
  public func enableNotifications() -> Bool {
    guard isResolved() else { return false }
    if hasEventIndex { rings.availEvent.storeRelaxed(nextAvail) } else { rings.usedFlags.storeRelaxed(0) }
    fullMemoryFence()
    return rings.availIndex.loadAcquiring() != nextAvail
  }

  /// Calls `body` for the chains that are there, at most `limit` of them, with kicks disabled meanwhile.
  ///
  /// - Returns: whether chains may be left; kicks are enabled again only where none are.
  public func drain(limit: Int, _ body: (DescriptorChain) -> Void) throws(VirtqueueError) -> Bool {
    var count = 0
    repeat {
      disableNotifications()
      while count < limit, let chain = try pop() {
        body(chain)
        count += 1
      }
      if count >= limit { return true }
    } while enableNotifications()
    return false
  }

  // MARK: Guest memory

  /// Resolves the ring again where the table of guest memory has changed.
  ///
  /// - Throws: where the ring is outside the new table. It stays unusable until a later table has it.
  public func resolve() throws(VirtqueueError) {
    if generation == memory.generation { return }
    adopt(try Rings(config: config, memory: memory))
  }

  /// Goes on with a ring whose parts lie elsewhere (SET_VRING_ADDR on a running queue).
  public func relocate(descriptorTable: UInt64, availRing: UInt64, usedRing: UInt64) throws(VirtqueueError) {
    var moved = config
    moved.descriptorTable = descriptorTable
    moved.availRing = availRing
    moved.usedRing = usedRing
    adopt(try Rings(config: moved, memory: memory))
    config = moved
  }

  private func adopt(_ rings: Rings) {
    self.rings = rings
    generation = memory.generation
    for answer in heldBack { publish(answer.head, answer.writtenByteCount) }
    heldBack.removeAll()
  }

  private func isResolved() -> Bool {
    do throws(VirtqueueError) {
      try resolve()
      return true
    } catch {
      return false
    }
  }

  private func publish(_ head: UInt16, _ writtenByteCount: UInt32) {
    rings.setUsedEntry(nextUsed, head: head, writtenByteCount: writtenByteCount)
    nextUsed &+= 1
    rings.usedIndex.storeReleasing(nextUsed)
    hasPushed = true
  }
}
