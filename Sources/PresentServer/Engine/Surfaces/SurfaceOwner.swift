import LinuxIO
import Outputs
import PresentProtocol

/// The client behind a surface: a socket connection, or a region whose frames the surface shows.
///
/// Surfaces and the output engine use clients only through this protocol. All calls are made on the loop's thread. An
/// owner must not end its surfaces within a call, because callers iterate over lists of them.
protocol SurfaceOwner: AnyObject {
  /// Logs a line under the client's name.
  func log(_ text: String)

  /// Ends the client after this loop iteration.
  func drop(_ why: String)

  /// The surface has a new output, or its mode, name or connection has changed. Older generations' buffers are dropped.
  func outputChanged(_ description: OutputDescription, of surface: Surface)

  /// The surface's buffers are dropped, and pending requests of that generation end. Frames are still reported.
  func buffersLost(of surface: Surface)

  /// The surface has left its output; all its frames have been reported.
  func outputLost(of surface: Surface)

  /// The surface's frame was latched.
  func frameLatched(of surface: Surface)

  /// The outcome of a frame.
  ///
  /// - Parameters:
  ///   - timeNanoseconds: CLOCK_MONOTONIC time of the flip; 0 for other outcomes.
  ///   - sequence: the vblank count at the flip; 0 for other outcomes.
  func frameDone(
    _ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64, sequence: UInt64, of surface: Surface)

  /// The buffer is no longer read.
  func released(_ buffer: ClientBuffer, of surface: Surface)

  /// The output cannot show a frame or cannot be blanked.
  func failed(_ why: String, of surface: Surface)
}

/// A client that has a DRM lease or waits for one.
protocol LeaseHolder: AnyObject {
  /// The client's name.
  var name: String { get }
  /// The client's process.
  var peer: PeerCredentials { get }
  /// Whether it is connected to the control socket.
  var mayControl: Bool { get }
  /// The supplementary groups of that process.
  var peerGroups: [UInt32] { get }

  /// Logs a line under the client's name.
  func log(_ text: String)

  /// The client has the lease.
  func leaseGranted(_ lease: OutputLease, request: RequestID)

  /// The client's lease has ended.
  func leaseEnded(_ why: String, request: RequestID)

  /// The client's lease request is refused.
  func leaseRefused(_ why: String, request: RequestID)
}
