import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout

/// A container: a client of the daemon that draws into four host buffers, without a backend in between.
///
/// It never waits for the screen: each frame supersedes one that is not on screen yet.
final class ClientSource: FrameSource {
  /// One is on screen, one in the pending commit, one waits behind it, and one is drawn into.
  private static let bufferCount = 4

  private let loop: EventLoop
  private let client: PresentClient
  private let size: Rect
  private var buffers: [PresentBuffer] = []
  /// Pictures in the buffers' order; each is drawn once.
  private var checksums: [PictureChecksum] = []
  private var free: [Int] = []
  private var shown = 0
  private var lastFrame: UInt64 = 0
  /// Frames without a FRAME_DONE yet.
  private var openFrames = 0
  private var failure: String?

  /// Connects, makes its buffers and shows the first picture.
  init(_ socket: String, name: String = BenchStage.vm, width: Int, height: Int) throws(BenchError) {
    let loop = try mapped { () throws(SystemError) in try EventLoop() }
    self.loop = loop
    size = Rect(x: 0, y: 0, width: width, height: height)
    client = try mapped { () throws(SystemError) in
      try PresentClient(
        loop: loop, path: socket, hello: Hello(kind: .container, name: name, scanoutCount: 1))
    }
    client.onEvent = { [weak self] event in self?.handle(event) }
    try mapped { () throws(SystemError) in try client.start() }
    try wait { client.output(0) != nil }
    for index in 0..<ClientSource.bufferCount {
      do throws(PresentClientError) {
        buffers.append(try client.createBuffer(scanout: 0, width: width, height: height, format: .xrgb8888))
      } catch {
        throw BenchError("framepathd: \(error)")
      }
      let mapped = buffers[index].mapped
      mapped.beginAccess(read: false)
      checksums.append(
        unsafe TestPicture.draw(
          UnsafeMutableRawBufferPointer(start: mapped.pixels, count: mapped.layout.byteCount), mapped.layout,
          seed: UInt32(index)))
      mapped.endAccess(read: false)
      free.append(index)
    }
    client.setPath(scanout: 0, path: .direct, reason: "")
    try showFrame(.wholePicture)
    try finish()
  }

  @discardableResult
  func showFrame(_ change: FrameChange) throws(BenchError) -> UInt64 {
    try waitForTurn(change)
    shown = free.removeFirst()
    lastFrame += 1
    let kicked = monotonicNanoseconds()
    let isSent = client.present(
      PresentFrame(
        scanout: 0, frame: lastFrame, bufferID: buffers[shown].id, source: size, damage: change.damage, path: .direct,
        readyNanoseconds: kicked))
    guard isSent else { throw BenchError("framepathd closed the connection") }
    openFrames += 1
    return kicked
  }

  func waitForTurn(_ change: FrameChange) throws(BenchError) { try wait { !free.isEmpty } }

  func waitForAnswer() throws(BenchError) { try wait { openFrames == 0 } }

  func isAnswered() throws(BenchError) -> Bool {
    // Bounded, so that this returns even if the daemon keeps sending.
    for _ in 0..<16 {
      let count = try mapped { () throws(SystemError) in try loop.runOnce(timeoutMilliseconds: 0) }
      if let failure { throw BenchError(failure) }
      if count == 0 { break }
    }
    return openFrames == 0 && !free.isEmpty
  }

  func finish() throws(BenchError) { try waitForAnswer() }

  func checksumOfShown() -> PictureChecksum { checksums[shown] }

  func end() { client.stop() }

  private func handle(_ event: PresentEvent) {
    switch event {
    case .frameDone(let done):
      openFrames -= 1
      if done.outcome == .rejected { failure = "framepathd rejected a frame" }
    case .released(let bufferID, _):
      if let index = buffers.firstIndex(where: { $0.id == bufferID }) { free.append(index) }
    case .output(_, let buffersLost):
      if buffersLost, !buffers.isEmpty { failure = "framepathd moved the scanout to another output" }
    // The name of a client that has just disconnected may still be in use.
    case .refused(let refusal) where refusal.mayHeal: break
    case .refused(let refusal): failure = "framepathd: \(refusal.message.text)"
    case .error(let message): failure = "framepathd: \(message.text)"
    case .lost: failure = "framepathd closed the connection"
    case .welcomed, .regionNews, .deviceSettings: break
    }
  }

  /// Serves the connection until the condition holds.
  private func wait(until condition: () -> Bool) throws(BenchError) {
    let deadline = monotonicNanoseconds() + 5_000_000_000
    while !condition() {
      try mapped { () throws(SystemError) in _ = try loop.runOnce(timeoutMilliseconds: 100) }
      if let failure { throw BenchError(failure) }
      guard monotonicNanoseconds() < deadline else { throw BenchError("framepathd does not answer") }
    }
  }
}
