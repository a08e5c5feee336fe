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
  private let memory: GuestMemory
  private let chain: DescriptorChain
  private var state: VirtqueueState

  init(config: VirtqueueConfig, memory: GuestMemory, rings: Rings) {
    size = Int(config.size)
    self.memory = memory
    chain = DescriptorChain(memory: memory, size: Int(config.size))
    state = VirtqueueState(config: config, generation: memory.generation, rings: rings)
  }

  /// The avail index of the next chain; a later activation continues there.
  public var nextAvail: UInt16 { state.nextAvail }
  /// The used index of the next answer.
  public var nextUsed: UInt16 { state.nextUsed }
  /// The number of chains that are popped and not yet pushed.
  public var inFlightCount: Int { state.inFlightCount }

  // MARK: Chains

  /// The next available chain, or nil. The chain is valid until the next call.
  public func pop() throws(VirtqueueError) -> DescriptorChain? {
    try state.pop(into: chain, memory) ? chain : nil
  }

  /// Returns a popped chain to the driver. A head that is not in flight is ignored.
  ///
  /// - Parameter writtenByteCount: bytes written to the chain, counted from its first writable byte.
  public func push(head: UInt16, writtenByteCount: UInt32) {
    state.push(head: head, writtenByteCount: writtenByteCount, memory)
  }

  // MARK: Notifications

  /// Whether the driver must be notified of the pushes since the last call. Call it after a batch of pushes.
  public func needsNotification() -> Bool { state.needsNotification(memory) }

  /// Disables kicks. The driver may kick nevertheless.
  public func disableNotifications() { state.disableNotifications(memory) }

  /// Enables a kick for the next available chain.
  ///
  /// - Returns: whether a chain became available before that: then pop again.
  public func enableNotifications() -> Bool { state.enableNotifications(memory) }

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
  public func resolve() throws(VirtqueueError) { try state.resolve(memory) }

  /// Moves the ring to other addresses (SET_VRING_ADDR on a running queue).
  public func relocate(descriptorTable: UInt64, availRing: UInt64, usedRing: UInt64) throws(VirtqueueError) {
    try state.relocate(descriptorTable: descriptorTable, availRing: availRing, usedRing: usedRing, memory)
  }
}
