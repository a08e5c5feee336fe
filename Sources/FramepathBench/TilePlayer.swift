import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout

/// A container that presents its next picture at each flip.
final class TilePlayer {
  /// The flipped frames since `record`.
  private(set) var figures = TilesReport.VM()
  private(set) var failure: String?
  private let client: PresentClient
  private var buffers: [PresentBuffer] = []
  private var frame: UInt64 = 0
  private var lastSequence: UInt64?

  init(_ loop: EventLoop, _ socket: String, name: String) throws(BenchError) {
    client = try mapped { () throws(SystemError) in
      try PresentClient(loop: loop, path: socket, hello: Hello(kind: .container, name: name, scanoutCount: 1))
    }
    client.onEvent = { [unowned self] event in handle(event) }
    try mapped { () throws(SystemError) in try client.start() }
  }

  var isReady: Bool { client.output(0) != nil }

  /// Makes two pictures of the tile's size, and shows the first.
  func begin() throws(BenchError) {
    guard let mode = client.output(0)?.mode else { throw BenchError("framepathd has no output for a client") }
    for index in 0..<2 {
      do throws(PresentClientError) {
        let buffer = try client.createBuffer(
          scanout: 0, width: mode.width, height: mode.height, format: .xrgb8888)
        let mapped = buffer.mapped
        mapped.beginAccess(read: false)
        _ = unsafe TestPicture.draw(
          UnsafeMutableRawBufferPointer(start: mapped.pixels, count: mapped.layout.byteCount), mapped.layout,
          seed: UInt32(index))
        mapped.endAccess(read: false)
        buffers.append(buffer)
      } catch {
        throw BenchError("framepathd: \(error)")
      }
    }
    present()
  }

  /// Counts from the next frame on.
  func record() {
    figures = TilesReport.VM()
    lastSequence = nil
  }

  private func present() {
    frame += 1
    let buffer = buffers[Int(frame % 2)]
    let isSent = client.present(
      PresentFrame(scanout: 0, frame: frame, bufferID: buffer.id, source: buffer.mapped.layout.bounds, path: .direct))
    if !isSent { failure = "framepathd closed the connection" }
  }

  private func handle(_ event: PresentEvent) {
    switch event {
    case .frameDone(let done):
      if done.outcome == .rejected { failure = "framepathd rejected a frame" }
      if done.outcome == .flipped {
        figures.frames += 1
        if let lastSequence, done.sequence > lastSequence {
          let vblanks = Int(clamping: done.sequence - lastSequence)
          figures.vblanks += vblanks
          figures.intervals[min(vblanks, figures.intervals.count) - 1] += 1
        }
        lastSequence = done.sequence
      }
      present()
    // The name of a client that has just disconnected may still be in use.
    case .refused(let refusal) where refusal.mayHeal: break
    case .refused(let refusal): failure = "framepathd: \(refusal.message.text)"
    case .error(let message): failure = "framepathd: \(message.text)"
    case .lost: failure = "framepathd closed the connection"
    case .output, .released, .welcomed, .regionNews, .deviceSettings: break
    }
  }
}

/// The hostile clients of `framepath bench tiles`.
public enum HostileClient {
  /// Presents as fast as the daemon reads, until it is killed.
  public static func flood(socket: String) throws { try run(socket, name: "flood", isFinished: true) }

  /// Presents a frame whose acquire fence is never signalled, and waits until it is killed.
  public static func neverFinish(socket: String) throws { try run(socket, name: "unfinished", isFinished: false) }

  private static func run(_ socket: String, name: String, isFinished: Bool) throws {
    let connection = try PresentConnection.connect(socket)
    let fence = try EventFD()
    _ = try connection.send(.hello(Hello(kind: .container, name: name, scanoutCount: 1)))
    var fds = ReceivedFDs()
    var generation: UInt32 = 0
    var isMade = false
    var frame: UInt64 = 0
    while true {
      while let message = try connection.receiveServerMessage(fds: &fds) {
        switch message {
        case .output(let output):
          generation = output.generation
          isMade = false
          let create = CreateBuffer(
            bufferID: UInt32(generation), scanout: 0, generation: generation, width: 64, height: 64, format: .xrgb8888,
            usage: .frame)
          _ = try connection.send(.createBuffer(create, request: 1))
        case .buffer: isMade = true
        default: break
        }
      }
      var isSent = false
      if isMade, isFinished || frame == 0 {
        let present = Present(
          scanout: 0, generation: generation, frame: frame + 1, bufferID: UInt32(generation),
          source: Rect(width: 64, height: 64), damage: .full, path: .direct, copies: 0, copiedBytes: 0,
          hasAcquireFence: !isFinished)
        isSent = try connection.send(.present(present), fds: isFinished ? [] : [fence.fd.raw])
      }
      if isSent {
        frame += 1
      } else {
        _ = try waitUntilReady(
          connection.descriptor, isMade && isFinished ? [.readable, .writable] : .readable, timeoutMilliseconds: 1000)
      }
    }
  }
}
