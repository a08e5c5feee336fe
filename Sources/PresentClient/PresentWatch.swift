import LinuxIO
public import PresentProtocol
public import StatusModel

/// A tool's connection on which the daemon reports changes, so that the tool need not poll.
///
/// `next` reports changes, `status` reads the state. A kind of change is reported once, and again only after
/// `status`.
public final class PresentWatch {
  private let connection: PresentConnection
  private var pending: ChangeKinds = []
  private var lastRequest: UInt64 = 1

  /// Subscribes to changes of these kinds.
  ///
  /// - Throws: `.notConnected` without a daemon at `path`.
  public init(_ kinds: ChangeKinds = .all, path: String = PresentSocket.defaultControlPath()) throws(PresentClientError)
  {
    connection = try PresentTool.connect(path, name: "tool", asking: .subscribe(kinds, request: 1))
  }

  /// The connection's descriptor, for an event loop or `poll`: readable once something has changed.
  public var descriptor: Int32 { connection.descriptor }

  /// Waits for a change.
  ///
  /// - Parameter milliseconds: the longest wait; 0 not to wait.
  /// - Returns: the kinds of change since the last call; nil if there was none in time.
  /// - Throws: if the daemon is gone or refuses.
  public func next(withinMilliseconds milliseconds: UInt64) throws(PresentClientError) -> ChangeKinds? {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while pending.isEmpty {
      let now = monotonicNanoseconds()
      var fds = ReceivedFDs()
      guard let message = try PresentTool.answer(connection, &fds, within: deadline > now ? deadline - now : 0) else {
        return nil
      }
      if case .changed(let kinds, request: _) = message { pending.formUnion(kinds) }
    }
    defer { pending = [] }
    return pending
  }

  /// The daemon's status. Changes after it are reported again.
  public func status() throws(PresentClientError) -> DaemonStatus {
    let json = try statusJSON()
    do throws(ReportError) { return try DaemonStatus(json: json) } catch { throw .failed(error.description) }
  }

  /// The daemon's status as JSON, unchanged (Docs/Protocol.md). Changes after it are reported again.
  public func statusJSON() throws(PresentClientError) -> [UInt8] {
    lastRequest += 1
    let request = lastRequest
    do throws(PresentProtocolError) {
      guard try connection.send(.status(request: request)) else { throw PresentProtocolError.closed }
    } catch {
      throw .failed("\(error)")
    }
    let deadline = monotonicNanoseconds() + PresentTool.answerNanoseconds
    var later: ChangeKinds = []
    while true {
      let now = monotonicNanoseconds()
      var fds = ReceivedFDs()
      guard let message = try PresentTool.answer(connection, &fds, within: deadline > now ? deadline - now : 0) else {
        throw .timedOut
      }
      switch message {
      // A long status is made some time before it is sent, and may lack the change.
      case .changed(let kinds, request: _): later.formUnion(kinds)
      case .statusReply(let byteCount, request: request):
        guard let fd = fds.take(0) else { throw .failed("framepathd sent a status without a descriptor") }
        pending = later
        return try PresentTool.read(fd, byteCount: byteCount)
      default: continue
      }
    }
  }
}
