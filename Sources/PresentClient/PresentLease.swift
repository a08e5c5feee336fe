public import LinuxIO
public import PresentProtocol

/// A DRM lease of an output for this process; returned with the last reference to it.
///
/// The lease lasts as long as the connection, unless the host revokes it.
public final class PresentLease {
  /// The leased objects; nil while the request waits.
  public private(set) var leased: Leased?
  private let connection: PresentConnection
  private var device: SharedFD?

  /// Requests the lease of an output.
  ///
  /// - Parameters:
  ///   - output: the output's name, as in STATUS.
  ///   - name: this client's name in STATUS; 1 to 63 bytes without `/`.
  /// - Throws: `.notConnected` without a daemon at `path`.
  public init(
    of output: String, name: String, path: String = PresentSocket.defaultControlPath()
  ) throws(PresentClientError) {
    guard output.utf8.count <= PresentLimits.outputNameByteCount else {
      throw .failed("there is no output \(output): its name has more than \(PresentLimits.outputNameByteCount) bytes")
    }
    connection = try PresentTool.connect(path, name: name, asking: .lease(output: output, request: 1))
  }

  /// The connection's descriptor for an event loop: readable when the daemon has sent a message.
  public var descriptor: Int32 { connection.descriptor }

  /// Waits for the lease.
  ///
  /// - Returns: whether it was granted in time; others may keep the output longer.
  /// - Throws: `.refused` with the remedy.
  public func wait(milliseconds: UInt64) throws(PresentClientError) -> Bool {
    if leased != nil { return true }
    var fds = ReceivedFDs()
    guard let answer = try PresentTool.answer(connection, &fds, within: milliseconds * 1_000_000) else { return false }
    guard case .leased(let leased, request: _) = answer, let fd = fds.take(0) else {
      throw .failed("framepathd sent an unexpected answer to LEASE")
    }
    self.leased = leased
    device = SharedFD(fd)
    return true
  }

  /// Takes the DRM device of the lease. The lease also ends when all copies of it are closed.
  public func takeDevice() -> SharedFD? { device.take() }

  /// Why the lease has ended; nil while it has not.
  public func ending() -> String? {
    var fds = ReceivedFDs()
    do throws(PresentClientError) {
      guard let message = try PresentTool.answer(connection, &fds, within: 0) else { return nil }
      guard case .leaseEnded(let why, request: _) = message else { return "framepathd sent an unexpected message" }
      return why
    } catch {
      return error.description
    }
  }
}
