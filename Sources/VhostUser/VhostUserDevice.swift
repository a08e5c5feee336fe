public import Virtio

/// A virtio device that a frontend drives through a `BackendSession`.
///
/// All calls are made on the thread of the session's event loop. A device keeps its queues and resources during a
/// pause: only `reset` means that the guest restarted.
public protocol VhostUserDevice: AnyObject {
  /// The offered virtio features: the device's own and the ring's (not VHOST_USER_F_PROTOCOL_FEATURES).
  var features: UInt64 { get }
  /// The number of virtqueues, 1 to 256.
  var queueCount: Int { get }

  /// Fills `buffer` from the config space. The guest waits for it: do not block.
  /// - Returns: false if the range is outside the config space.
  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool
  /// The guest wrote to the config space.
  /// - Returns: false if the range is outside the config space.
  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool

  /// The features that the driver accepted. QEMU's vhost-user-gpu sets bits that the backend did not offer.
  func featuresAccepted(_ features: UInt64)

  /// The queue is running. A kick follows at once, because requests may be waiting.
  func queueStarted(_ queue: VhostUserQueue)
  /// Requests may be available: drain the queue, then `notify`. An error stops all queues.
  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError)
  /// The queue stops when this returns (a pause, a reset, or the end): push everything in flight now.
  func queueStopping(_ queue: VhostUserQueue)

  /// The memory table changed: resolve stored guest addresses again.
  func memoryChanged()
  /// The guest restarted: drop its resources.
  func reset()
  /// The rings are stopped because the VM cannot be served, for that reason; nil: the frontend starts them again.
  func refused(_ reason: String?)
  /// The GPU socket was opened (at each start of vhost-user-gpu) or closed (at each pause). Most devices ignore it.
  func displayConnected(_ isConnected: Bool)
}

extension VhostUserDevice {
  /// Does nothing.
  public func refused(_ reason: String?) {}

  /// Does nothing.
  public func displayConnected(_ isConnected: Bool) {}
}

/// How a session ended.
public enum SessionEnd: Equatable, Sendable {
  /// The frontend closed the connection.
  case closed
  /// An error ended the session.
  case failed(VhostUserError)
}
