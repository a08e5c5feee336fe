import LinuxIO
import PresentProtocol
import StatusModel

/// A request for something that takes long to write.
enum Inquiry {
  case status
  case trace
  case snapshot(SnapshotSubject)

  var isSnapshot: Bool { type == .snapshot }

  /// The message that requests it.
  var type: ClientMessageType {
    switch self {
    case .status: .status
    case .trace: .trace
    case .snapshot: .snapshot
    }
  }
}

/// How far an answer is.
enum AnswerProgress {
  case unfinished
  /// It waits for others; call `write` again a little later.
  case blocked
  case complete
}

/// An answer being written.
protocol Answer: AnyObject {
  /// Writes until `deadline` on CLOCK_MONOTONIC.
  func write(until deadline: UInt64) throws -> AnswerProgress

  /// Sends the complete answer.
  func send(_ request: RequestID)
}

/// Writes the answers to STATUS, TRACE and SNAPSHOT, one per client at a time.
///
/// They are written in slices of `sliceNanoseconds` between iterations of the loop, so that a long one does not delay
/// frames; a short one is sent at once. Clients take turns. An answer ends with its client's connection.
final class ReportWriter {
  /// The length of a slice; it may be exceeded by one piece: a VM, a frame, or some rows of a picture.
  private static let sliceNanoseconds: UInt64 = 250_000
  /// The pause before another look at answers that wait for others.
  private static let pauseNanoseconds: UInt64 = 5_000_000

  private struct Turn {
    unowned let session: ClientSession
    let inquiry: Inquiry
    let request: RequestID
    var answer: (any Answer)?
    var isBlocked = false

    var isDrawing: Bool { (answer as? SnapshotAnswer)?.isDrawing == true }
  }

  private var turns: [Turn] = []
  private let loop: EventLoop
  private let wake: EventFD
  private var source: EventLoop.Source?
  private var pause: PresentTimer?

  init(_ loop: EventLoop, _ clock: PresentClock) throws(SystemError) {
    self.loop = loop
    wake = try EventFD()
    // Edge-triggered, so that the count need not be read.
    source = try loop.add(wake.fd.raw, [.readable, .edge]) { [unowned self] _ in writeSlice() }
    pause = try clock.timer(on: loop) { [unowned self] in
      for index in turns.indices { turns[index].isBlocked = false }
      writeSlice()
    }
  }

  /// Whether a client's answer is being written.
  func isWriting(for session: ClientSession) -> Bool { turns.contains { $0.session === session } }

  /// Begins an answer, which must be the client's only one.
  func begin(_ inquiry: Inquiry, for session: ClientSession, _ request: RequestID) {
    turns.append(Turn(session: session, inquiry: inquiry, request: request))
    if turns.count == 1 { writeSlice() } else { wake.signal() }
  }

  /// Discards the answer for a disconnected client.
  func end(for session: ClientSession) { turns.removeAll { $0.session === session } }

  /// Stops writing.
  func close() {
    turns = []
    pause = nil
    if let source = source.take() { loop.remove(source) }
  }

  /// Works on the first answer that can be continued, and puts its client at the end of the queue.
  private func writeSlice() {
    guard let place = nextPlace else { return }
    let deadline = monotonicNanoseconds() + ReportWriter.sliceNanoseconds
    var turn = turns.remove(at: place)
    let session = turn.session
    do {
      let answer = try turn.answer ?? makeAnswer(turn)
      turn.answer = answer
      let progress = try answer.write(until: deadline)
      turn.isBlocked = progress == .blocked
      if progress == .complete { answer.send(turn.request) } else { turns.append(turn) }
    } catch let error as SnapshotError {
      switch error {
      case .unknown(let text): session.refuse(.noSuchVM, text, turn.request)
      case .failed(let text): session.refuse(.refused, text, turn.request)
      }
    } catch {
      session.refuse(.noMemory, "\(error)", turn.request)
    }
    if nextPlace != nil {
      wake.signal()
    } else if !turns.isEmpty {
      pause?.arm(session.server.clock.nowNanoseconds + ReportWriter.pauseNanoseconds)
    }
  }

  private var nextPlace: Int? {
    // One picture at a time: its frames are in use for no longer than it takes to draw it.
    let isDrawing = turns.contains { $0.isDrawing }
    return turns.firstIndex { !$0.isBlocked && (!isDrawing || $0.isDrawing || !$0.inquiry.isSnapshot) }
  }

  private func makeAnswer(_ turn: Turn) throws -> any Answer {
    switch turn.inquiry {
    case .status, .trace: try Report(turn.inquiry, for: turn.session)
    case .snapshot(let subject): SnapshotAnswer(subject, for: turn.session)
    }
  }
}

/// A report being written: a memfd that grows piece by piece.
private final class Report: Answer {
  private let file: SharedFD
  private unowned let session: ClientSession
  private var byteCount = 0
  private let pieces: JSONPieces
  /// Bytes that are not in the file yet.
  private var buffer: [UInt8] = []
  private static let bufferByteCount = 16 << 10

  init(_ inquiry: Inquiry, for session: ClientSession) throws {
    self.session = session
    file = SharedFD(try MemFD.createEmpty(name: "framepath-status").owned(by: session.descriptors))
    // A client of the frames socket gets reports about itself.
    let isWhole = MessageRights.right(of: session.role, to: inquiry.type) == .allowed
    let subjects = isWhole ? session.server.sessions : [session]
    pieces =
      switch inquiry {
      case .trace: try Report.trace(of: subjects)
      case _ where isWhole: try Report.status(of: subjects, session.server.statusWithoutVMs())
      default: try Report.status(of: subjects, session.statusWithoutVM())
      }
  }

  func send(_ request: RequestID) {
    session.send(.statusReply(byteCount: UInt64(byteCount), request: request.wire), fd: file)
  }

  func write(until deadline: UInt64) throws -> AnswerProgress {
    repeat {
      guard let piece = try pieces.next() else {
        try flush()
        try MemFD.seal(file.raw, [.shrink, .grow, .seal])
        return .complete
      }
      buffer += piece
      if buffer.count >= Report.bufferByteCount { try flush() }
    } while monotonicNanoseconds() < deadline
    return .unfinished
  }

  private func flush() throws {
    try MemFD.append(buffer, to: file.raw)
    byteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Reads each VM when its turn comes; those that have disconnected by then are left out.
  private static func status(of sessions: [ClientSession], _ rest: some Encodable) throws -> JSONPieces {
    var sessions = sessions.makeIterator()
    return try JSONPieces(rest) {
      while let session = sessions.next() {
        if !session.surfaces.isEmpty { return try JSONPieces(DaemonStatus.VM(session)) }
      }
      return nil
    }
  }

  /// Reads each scanout when its turn comes; scanouts of clients that have disconnected by then are left out.
  private static func trace(of sessions: [ClientSession]) throws -> JSONPieces {
    var surfaces = sessions.flatMap { session in session.surfaces.map { (session, $0) } }.makeIterator()
    return try JSONPieces(DaemonTrace(nowNanoseconds: monotonicNanoseconds(), scanouts: [])) {
      while let (session, surface) = surfaces.next() {
        if session.isClosed { continue }
        var records = surface.trace.ordered.makeIterator()
        return try JSONPieces(DaemonTrace.Scanout(surface, of: session)) {
          try records.next().map { try JSONPieces(DaemonTrace.Frame($0)) }
        }
      }
      return nil
    }
  }
}
