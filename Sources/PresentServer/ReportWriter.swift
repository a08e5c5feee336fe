import LinuxIO
import PresentProtocol
import StatusModel

/// Answers STATUS and TRACE, each client's requests in order.
///
/// A report is written in slices of `sliceNanoseconds` between iterations of the loop, so that a long one does not
/// delay frames; a short one is answered at once. Clients take turns. A report ends with its client's connection.
final class ReportWriter {
  /// The kinds of reports.
  enum Kind {
    case status, trace
  }

  /// The length of a slice; it may be exceeded by one piece: a VM or a frame.
  private static let sliceNanoseconds: UInt64 = 250_000
  /// The limit for requests of one client that wait behind the current one.
  static let waitingLimit = 8

  /// A client's requests.
  private struct Turn {
    unowned let session: ClientSession
    /// The first one is being written.
    var requests: [(kind: Kind, request: RequestID)]
    var report: Report?
  }

  private var turns: [Turn] = []
  private let loop: EventLoop
  private let wake: EventFD
  private var source: EventLoop.Source?

  init(_ loop: EventLoop) throws(SystemError) {
    self.loop = loop
    wake = try EventFD()
    // Edge-triggered, so that the count need not be read.
    source = try loop.add(wake.fd.raw, [.readable, .edge]) { [unowned self] _ in writeSlice() }
  }

  /// Queues a request; refuses it if too many are waiting.
  func begin(_ kind: Kind, for session: ClientSession, _ request: RequestID) {
    if let index = turns.firstIndex(where: { $0.session === session }) {
      guard turns[index].requests.count <= ReportWriter.waitingLimit else {
        return session.refuse(
          .refused, "\(ReportWriter.waitingLimit) earlier requests for a status or trace are waiting", request)
      }
      return turns[index].requests.append((kind, request))
    }
    turns.append(Turn(session: session, requests: [(kind, request)]))
    if turns.count == 1 { writeSlice() } else { wake.signal() }
  }

  /// Discards the requests of a disconnected client.
  func end(for session: ClientSession) { turns.removeAll { $0.session === session } }

  /// Stops writing reports.
  func close() {
    turns = []
    if let source = source.take() { loop.remove(source) }
  }

  /// Works on the first client's report, and puts the client at the end of the queue.
  private func writeSlice() {
    guard !turns.isEmpty else { return }
    let deadline = monotonicNanoseconds() + ReportWriter.sliceNanoseconds
    var turn = turns.removeFirst()
    let session = turn.session
    while let (kind, request) = turn.requests.first {
      do {
        let report = try turn.report ?? Report(kind, session.server)
        turn.report = report
        guard try report.write(until: deadline) else { break }
        session.send(.statusReply(byteCount: UInt64(report.byteCount), request: request.wire), fd: report.file)
      } catch {
        session.refuse(.noMemory, "\(error)", request)
      }
      turn.report = nil
      turn.requests.removeFirst()
    }
    if !turn.requests.isEmpty { turns.append(turn) }
    if !turns.isEmpty { wake.signal() }
  }
}

/// A report being written: a memfd that grows piece by piece.
private final class Report {
  let file: SharedFD
  private(set) var byteCount = 0
  private let pieces: JSONPieces
  /// Bytes that are not in the file yet.
  private var buffer: [UInt8] = []
  private static let bufferByteCount = 16 << 10

  init(_ kind: ReportWriter.Kind, _ server: Server) throws {
    file = SharedFD(try MemFD.createEmpty(name: "framepath-status"))
    pieces =
      switch kind {
      case .status: try Report.status(server)
      case .trace: try Report.trace(server)
      }
  }

  /// Writes pieces until `deadline` on CLOCK_MONOTONIC; returns whether the report is complete.
  func write(until deadline: UInt64) throws -> Bool {
    repeat {
      guard let piece = try pieces.next() else {
        try flush()
        try MemFD.seal(file.raw, [.shrink, .grow, .seal])
        return true
      }
      buffer += piece
      if buffer.count >= Report.bufferByteCount { try flush() }
    } while monotonicNanoseconds() < deadline
    return false
  }

  private func flush() throws {
    try MemFD.append(buffer, to: file.raw)
    byteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  private static func status(_ server: Server) throws -> JSONPieces {
    var status = server.status()
    var vms = status.vms.makeIterator()
    status.vms = []
    return try JSONPieces(status) { try vms.next().map { try JSONPieces($0) } }
  }

  /// Reads each scanout when its turn comes; scanouts of clients that have disconnected by then are left out.
  private static func trace(_ server: Server) throws -> JSONPieces {
    var heads = server.sessions.flatMap { session in session.heads.map { (session, $0) } }.makeIterator()
    return try JSONPieces(DaemonTrace(nowNanoseconds: monotonicNanoseconds(), scanouts: [])) {
      while let (session, head) = heads.next() {
        if session.isClosed { continue }
        var records = head.trace.ordered.makeIterator()
        return try JSONPieces(DaemonTrace.Scanout(head, of: session)) {
          try records.next().map { try JSONPieces(DaemonTrace.Frame($0)) }
        }
      }
      return nil
    }
  }
}
