import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// Bytes of a snapshot, charged to its client until the client's next inquiry or its end.
final class SnapshotCharge {
  private let account: MemoryAccount
  private let isOwn: Bool
  private let byteCount: Int

  /// - Throws: `.failed` if the memory is not available now.
  init(_ byteCount: Int, for session: ClientSession) throws(SnapshotError) {
    // A client without scanouts has no maximum; its account is of this size.
    isOwn = session.surfaces.isEmpty
    account = isOwn ? session.server.memory.open() : session.account
    if isOwn { account.limit(to: byteCount) }
    if let why = account.objection(toBytes: byteCount) {
      if isOwn { account.end() }
      throw .failed(why)
    }
    account.charge(byteCount)
    self.byteCount = byteCount
  }

  deinit {
    account.discharge(byteCount)
    if isOwn { account.end() }
  }
}

/// The answer to SNAPSHOT.
final class SnapshotAnswer: Answer {
  /// How long a frame may be kept from being read by its driver.
  private static let patienceNanoseconds: UInt64 = 1_000_000_000

  private let subject: SnapshotSubject
  private unowned let session: ClientSession
  private let giveUpNanoseconds: UInt64
  private var job: SnapshotJob?
  private var charge: SnapshotCharge?
  private var captured: MappedBuffer?

  init(_ subject: SnapshotSubject, for session: ClientSession) {
    self.subject = subject
    self.session = session
    giveUpNanoseconds = monotonicNanoseconds() + SnapshotAnswer.patienceNanoseconds
  }

  /// Whether frames are in use for it.
  var isDrawing: Bool { job != nil }

  func write(until deadline: UInt64) throws -> AnswerProgress {
    if job == nil {
      switch try session.server.planSnapshot(subject) {
      case .captured(let picture):
        captured = picture
        return .complete
      case .parts(let parts, let width, let height):
        let limit = session.server.limits.snapshotBytes
        guard
          let layout = FrameLayout(
            width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: .xrgb8888),
          layout.byteCount <= limit
        else {
          throw SnapshotError.failed(
            "the picture has \(width)x\(height) pixels; a snapshot may have \(limit) bytes, which are "
              + "\(limit / PixelFormat.bytesPerPixel) pixels")
        }
        guard try parts.allSatisfy(isReady) else {
          if monotonicNanoseconds() < giveUpNanoseconds { return .blocked }
          throw SnapshotError.failed("a driver has not finished the frame in its dma-buf")
        }
        charge = try SnapshotCharge(layout.byteCount, for: session)
        job = try SnapshotJob(layout, parts, for: session.descriptors)
      }
    }
    return try job?.draw(until: deadline) == true ? .complete : .unfinished
  }

  private func isReady(_ part: SnapshotJob.Part) throws -> Bool {
    if part.buffer.pages != nil { return true }
    return isReadable(try part.buffer.buffer.mapped())
  }

  func send(_ request: RequestID) {
    if let picture = captured {
      reply(
        picture.layout, picture.kind, byteCount: picture.pixelByteCount + picture.layout.offset, true, picture.fd,
        request)
    } else if let job {
      session.charge = charge
      reply(job.layout, .memfd, byteCount: job.layout.byteCount, false, job.file, request)
    }
  }

  private func reply(
    _ layout: FrameLayout, _ kind: MemoryKind, byteCount: Int, _ fromWriteback: Bool, _ fd: SharedFD,
    _ request: RequestID
  ) {
    session.send(
      .snapshotReply(
        SnapshotReply(
          layout: layout, fromWriteback: fromWriteback, memoryKind: kind, byteCount: UInt64(byteCount)),
        request: request.wire), fd: fd)
  }
}
