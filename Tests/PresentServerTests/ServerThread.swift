import Foundation
import Headless
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import Synchronization

/// A server with headless outputs on its own thread, for real clients.
final class ServerThread: Sendable {
  let path: String
  private let stopping: SharedFD
  private let finished = DispatchSemaphore(value: 0)

  /// Runs once clients can connect.
  init(path: String, outputCount: Int = 1) throws {
    self.path = path
    let wake = try EventFD()
    stopping = SharedFD(try wake.fd.duplicate())
    let ready = DispatchSemaphore(value: 0)
    let stopping = stopping
    let finished = finished
    Thread.detachNewThread {
      do {
        try ServerThread.serve(path, outputCount, stopping, ready)
      } catch {
        print("the server's thread ended: \(error)")
        ready.signal()
      }
      finished.signal()
    }
    ready.wait()
  }

  /// Ends the server as a killed daemon would end: all connections close.
  func stop() throws {
    EventFD(taking: try stopping.duplicate()).signal()
    finished.wait()
    removeFile(path + ".lock")
  }

  private static func serve(
    _ path: String, _ outputCount: Int, _ stopping: SharedFD, _ ready: DispatchSemaphore
  ) throws {
    let loop = try EventLoop()
    // 500 Hz, so that a test waits for no vblank.
    let mode = DisplayMode(width: 64, height: 48, refreshMillihertz: 500_000)
    let outputs = try (0..<outputCount).map { try HeadlessOutput(name: "headless-\($0)", mode: mode, loop: loop) }
    let server = try Server(
      loop: loop, outputs: outputs, socket: ServerSocket.open(path),
      control: ServerSocket.open(PresentSocket.controlPath(beside: path)),
      makeParkedOutput: { try HeadlessOutput(name: $0, mode: mode, loop: loop) }, log: { _ in })
    let source = try loop.add(stopping.raw) { _ in loop.stop() }
    ready.signal()
    try loop.run()
    loop.remove(source)
    server.close()
  }
}
