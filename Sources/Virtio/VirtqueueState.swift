import GuestMemory

/// The position of a split virtqueue's device side.
///
/// A structure, because each access to a property of a class is checked at run time: `Virtqueue` makes one access for
/// each of its calls.
struct VirtqueueState {
  private(set) var nextAvail: UInt16
  private(set) var nextUsed: UInt16
  private(set) var inFlightCount = 0

  private let size: Int
  private var isInFlight: [Bool]
  private var config: VirtqueueConfig
  private var rings: Rings
  private var generation: UInt64
  private let hasEventIndex: Bool
  private let allowsIndirect: Bool
  private let notifiesOnEmpty: Bool

  /// `nextUsed` at the last check for a notification; nil before the first one.
  private var notifiedUsed: UInt16?
  private var hasPushed = false
  /// Answers given while the ring is outside guest memory, which happens briefly while regions are replaced.
  private var heldBack: [(head: UInt16, writtenByteCount: UInt32)] = []

  /// - Parameter generation: the memory table that `rings` were resolved in.
  init(config: VirtqueueConfig, generation: UInt64, rings: Rings) {
    size = Int(config.size)
    nextAvail = config.nextAvail
    // The used index is also right after a stop: only the device writes it.
    nextUsed = rings.usedIndex.loadAcquiring()
    isInFlight = Array(repeating: false, count: size)
    self.config = config
    self.rings = rings
    self.generation = generation
    hasEventIndex = config.features.contains(.eventIndex)
    allowsIndirect = config.features.contains(.indirectDescriptors)
    notifiesOnEmpty = config.features.contains(.notifyOnEmpty)
  }

  /// Stores the next available chain; false if there is none.
  mutating func pop(into chain: DescriptorChain, _ memory: GuestMemory) throws(VirtqueueError) -> Bool {
    try resolve(memory)
    let available = rings.availIndex.loadAcquiring()
    let waiting = Int(available &- nextAvail)
    if waiting == 0 { return false }
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
    return true
  }

  mutating func push(head: UInt16, writtenByteCount: UInt32, _ memory: GuestMemory) {
    guard Int(head) < size, isInFlight[Int(head)] else { return }
    isInFlight[Int(head)] = false
    inFlightCount -= 1
    guard isResolved(memory) else {
      heldBack.append((head, writtenByteCount))
      return
    }
    publish(head, writtenByteCount)
  }

  mutating func needsNotification(_ memory: GuestMemory) -> Bool {
    guard hasPushed, isResolved(memory) else { return false }
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

  mutating func disableNotifications(_ memory: GuestMemory) {
    // With EVENT_IDX the old avail_event lies behind and already disables kicks.
    guard !hasEventIndex, isResolved(memory) else { return }
    rings.usedFlags.storeRelaxed(1)
  }

  mutating func enableNotifications(_ memory: GuestMemory) -> Bool {
    guard isResolved(memory) else { return false }
    if hasEventIndex { rings.availEvent.storeRelaxed(nextAvail) } else { rings.usedFlags.storeRelaxed(0) }
    fullMemoryFence()
    return rings.availIndex.loadAcquiring() != nextAvail
  }

  // MARK: - Guest memory

  mutating func resolve(_ memory: GuestMemory) throws(VirtqueueError) {
    if generation == memory.generation { return }
    adopt(try Rings(config: config, memory: memory), memory)
  }

  mutating func relocate(
    descriptorTable: UInt64, availRing: UInt64, usedRing: UInt64, _ memory: GuestMemory
  ) throws(VirtqueueError) {
    var moved = config
    moved.descriptorTable = descriptorTable
    moved.availRing = availRing
    moved.usedRing = usedRing
    adopt(try Rings(config: moved, memory: memory), memory)
    config = moved
  }

  private mutating func adopt(_ rings: Rings, _ memory: GuestMemory) {
    self.rings = rings
    generation = memory.generation
    for answer in heldBack { publish(answer.head, answer.writtenByteCount) }
    heldBack.removeAll()
  }

  private mutating func isResolved(_ memory: GuestMemory) -> Bool {
    do throws(VirtqueueError) {
      try resolve(memory)
      return true
    } catch {
      return false
    }
  }

  private mutating func publish(_ head: UInt16, _ writtenByteCount: UInt32) {
    rings.setUsedEntry(nextUsed, head: head, writtenByteCount: writtenByteCount)
    nextUsed &+= 1
    rings.usedIndex.storeReleasing(nextUsed)
    hasPushed = true
  }
}
