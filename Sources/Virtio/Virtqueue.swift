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
/// Chains may be pushed in any order, and long after they were popped. Nothing allocates in steady state, and no value
/// written by a driver traps. Owned by one thread.
@safe public final class Virtqueue {
  /// Descriptors in the ring.
  public let size: Int
  /// The avail index of the next chain; a later activation continues there.
  public private(set) var nextAvail: UInt16
  /// The used index of the next answer.
  public private(set) var nextUsed: UInt16
  /// The number of chains that are popped and not yet pushed.
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

  /// `nextUsed` at the last check for a notification; nil before the first one.
  private var notifiedUsed: UInt16?
  private var hasPushed = false
  /// Answers given while the ring is outside guest memory, which happens briefly while regions are replaced.
  private var heldBack: [(head: UInt16, writtenByteCount: UInt32)] = []

  init(config: VirtqueueConfig, memory: GuestMemory, rings: Rings) {
    size = Int(config.size)
    nextAvail = config.nextAvail
    // The used index is also right after a stop: only the device writes it.
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

  /// The next available chain, or nil. The chain is valid until the next call.
  public func pop() throws(VirtqueueError) -> DescriptorChain? {
    try resolve()
    let available = rings.availIndex.loadAcquiring()
    let waiting = Int(available &- nextAvail)
    if waiting == 0 { return nil }
    guard waiting <= size else { throw .availIndexJumped(from: nextAvail, to: available, size: size) }
    let head = rings.availEntry(nextAvail)
    guard Int(head) < size else { throw .headOutOfRange(head: head, size: size) }
    // This also bounds the number of chains that a device may have to answer later.
    guard !isInFlight[Int(head)] else { throw .headInFlight(head: head) }
    // SAFETY: `Rings` found `size` descriptors there.
    let table = unsafe DescriptorTable(rings.descriptors, count: size)
    try chain.gather(head: head, table: table, allowsIndirect: allowsIndirect)
    nextAvail &+= 1
    inFlightCount += 1
    isInFlight[Int(head)] = true
    return chain
  }

  /// Returns a popped chain to the driver. A head that is not in flight is ignored.
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

  /// Whether the driver must be notified of the pushes since the last call. Call it after a batch of pushes.
  public func needsNotification() -> Bool {
    guard hasPushed, isResolved() else { return false }
    hasPushed = false
    // A full fence between storing used.idx and loading the driver's event index; the driver does the reverse.
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

  /// Disables kicks. The driver may kick nevertheless.
  public func disableNotifications() {
    // With EVENT_IDX the old avail_event lies behind and already disables kicks.
    guard !hasEventIndex, isResolved() else { return }
    rings.usedFlags.storeRelaxed(1)
  }

  /// Enables a kick for the next available chain.
  ///
  /// - Returns: whether a chain became available before that: then pop again.
  public func enableNotifications() -> Bool {
    guard isResolved() else { return false }
    if hasEventIndex { rings.availEvent.storeRelaxed(nextAvail) } else { rings.usedFlags.storeRelaxed(0) }
    fullMemoryFence()
    return rings.availIndex.loadAcquiring() != nextAvail
  }

  /// Calls `body` for available chains, at most `limit`, with kicks disabled.
  ///
  /// - Returns: whether chains may be left; kicks are enabled again only if none are.
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

  /// Resolves the ring again after the memory table changed.
  ///
  /// - Throws: if the ring is outside the new table. It is unusable until a later table contains it.
  public func resolve() throws(VirtqueueError) {
    if generation == memory.generation { return }
    adopt(try Rings(config: config, memory: memory))
  }

  /// Moves the ring to other addresses (SET_VRING_ADDR on a running queue).
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
