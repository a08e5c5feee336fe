public import LinuxIO
public import PresentProtocol

/// An output that the daemon has leased, or will lease, to this process; given back with the last reference to it.
///
/// The connection is the lease: while it lives nobody else has the output, unless the host takes it back.
public final class PresentLease {
  /// What is leased; nil while others have the output.
  public private(set) var leased: Leased?
  private let connection: PresentConnection
  private var device: SharedFD?

  /// Asks for an output.
  ///
  /// - Parameters:
  ///   - output: its name, as STATUS has it.
  ///   - name: what STATUS calls this client; 1 to 63 bytes without `/`.
  /// - Throws: `.notConnected` where no daemon listens at `path`.
  public init(
    of output: String, name: String, path: String = PresentSocket.defaultPath()
  ) throws(PresentClientError) {
    guard output.utf8.count <= PresentLimits.outputNameByteCount else {
      throw .failed("there is no output \(output): its name has more than \(PresentLimits.outputNameByteCount) bytes")
    }
    connection = try PresentTool.connect(path, name: name, asking: .lease(output: output, request: 1))
  }

  /// The connection's descriptor, for an event loop: readable once the daemon has something to say.
  public var descriptor: Int32 { connection.descriptor }

  /// Waits for the output.
  ///
  /// - Returns: whether it came in time; others may have it longer.
  /// - Throws: `.refused` with what to do about it.
  public func wait(milliseconds: UInt64) throws(PresentClientError) -> Bool {
    if leased != nil { return true }
    var fds = ReceivedFDs()
    guard let answer = try PresentTool.answer(connection, &fds, within: milliseconds * 1_000_000) else { return false }
    guard case .leased(let leased, request: _) = answer, let fd = fds.take(0) else {
      throw .failed("framepathd answered something else than a lease")
    }
    self.leased = leased
    device = SharedFD(fd)
    return true
  }

  /// Takes the DRM device of the lease. The lease also ends when all its copies are closed.
  public func takeDevice() -> SharedFD? { device.take() }

  /// Why the lease is over; nil while it is not, as far as the daemon has told.
  public func ending() -> String? {
    var fds = ReceivedFDs()
    do throws(PresentClientError) {
      guard let message = try PresentTool.answer(connection, &fds, within: 0) else { return nil }
      guard case .leaseEnded(let why, request: _) = message else { return "framepathd said something unexpected" }
      return why
    } catch {
      return error.description
    }
  }
}
