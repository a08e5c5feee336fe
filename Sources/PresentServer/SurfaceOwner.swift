import LinuxIO
import Outputs
import PresentProtocol

/// The client behind a surface: a socket connection, or a region whose frames the surface shows.
///
/// Surfaces and the output engine know clients only by this. All calls come on the loop's thread. An owner must not end
/// its surfaces within a call: callers walk through their lists.
protocol SurfaceOwner: AnyObject {
  /// Logs a line under the client's name.
  func log(_ text: String)

  /// Ends the client after this round of the loop.
  func drop(_ why: String)

  /// The surface has an output, or its mode, name or connection has changed. Buffers of an earlier generation are gone.
  func outputChanged(_ description: OutputDescription, of surface: Surface)

  /// The surface's buffers are gone, and requests for more of that generation end. Frames are still answered.
  func buffersLost(of surface: Surface)

  /// The surface has left its output; all its frames were answered.
  func outputLost(of surface: Surface)

  /// A commit has taken the surface's frame.
  func frameLatched(of surface: Surface)

  /// The end of a frame.
  ///
  /// - Parameters:
  ///   - timeNanoseconds: CLOCK_MONOTONIC of the flip; 0 for other outcomes.
  ///   - sequence: the vblank of the flip; 0 for other outcomes.
  func frameDone(
    _ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64, sequence: UInt64, of surface: Surface)

  /// The display does not read the buffer any more.
  func released(_ buffer: ClientBuffer, of surface: Surface)

  /// The output cannot show a frame, or not show nothing.
  func failed(_ why: String, of surface: Surface)
}

/// The client of a DRM lease, or one that waits for it.
protocol LeaseHolder: AnyObject {
  /// The client's name.
  var name: String { get }
  /// The client's process.
  var peer: PeerCredentials { get }
  /// The groups of that process beside its main one.
  var peerGroups: [UInt32] { get }

  /// Logs a line under the client's name.
  func log(_ text: String)

  /// The lease is the client's from now on.
  func leaseGranted(_ lease: OutputLease, request: RequestID)

  /// The lease that the client had has ended.
  func leaseEnded(_ why: String, request: RequestID)

  /// The client will not get the lease that it waits for.
  func leaseRefused(_ why: String, request: RequestID)
}
