public import Virtio

/// A virtio device that a frontend drives through a `BackendSession`.
///
/// Every call comes on the thread of the session's event loop. A device keeps its queues and its resources over a pause:
/// only `reset` says that the guest started over.
public protocol VhostUserDevice: AnyObject {
  /// The virtio features offered: the device's own and the ring's (not VHOST_USER_F_PROTOCOL_FEATURES).
  var features: UInt64 { get }
  /// How many virtqueues the device has, 1 to 256.
  var queueCount: Int { get }

  /// Fills `buffer` from the config space. Guests wait for it: answer from memory.
  /// - Returns: false where the range is not in the config space.
  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool
  /// The guest wrote to the config space.
  /// - Returns: false where the range is not in the config space.
  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool

  /// The guest's driver accepted these. QEMU's vhost-user-gpu sets bits that the backend never offered.
  func featuresAccepted(_ features: UInt64)

  /// The queue runs from now on. A kick follows at once: requests may be waiting.
  func queueStarted(_ queue: VhostUserQueue)
  /// Requests may be there: drain the queue, then `notify`. An error ends the session.
  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError)
  /// The queue stops when this returns (a pause, a reset, or the end): push everything still in flight now.
  func queueStopping(_ queue: VhostUserQueue)

  /// Guest addresses mean other memory now: resolve what is kept of them again.
  func memoryChanged()
  /// The guest started over: drop its resources.
  func reset()
  /// The GPU socket came (at each start of vhost-user-gpu), or went (at each pause). Of no consequence for most.
  func displayConnected(_ isConnected: Bool)
}

extension VhostUserDevice {
  /// Does nothing.
  public func displayConnected(_ isConnected: Bool) {}
}

/// How a session ended.
public enum SessionEnd: Equatable, Sendable {
  /// The frontend closed the connection.
  case closed
  /// Something was wrong.
  case failed(VhostUserError)
}
