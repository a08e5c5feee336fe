import Foundation
import GraphicsMemory
import Headless
import HybridRegion
import Ivshmem
import LinuxIO
import PresentClient
import PresentProtocol
import PresentServer
import Scanout
import Synchronization
import TestSupport
import Testing

/// A daemon with one headless output, on its own thread and loop, because imports wait for its answer.
final class DaemonThread: @unchecked Sendable {
  private let path: String
  private let stopping: EventFD
  private let ready = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  /// The daemon's log.
  let lines = Mutex<[String]>([])

  init(_ path: String) throws {
    self.path = path
    stopping = try EventFD()
    Thread.detachNewThread { [self] in
      do { try serve() } catch { Issue.record(error) }
      ended.signal()
    }
    ready.wait()
  }

  private func serve() throws {
    defer { ready.signal() }
    let loop = try EventLoop()
    let mode = DisplayMode(width: 320, height: 200, refreshMillihertz: 200_000)
    let output = try HeadlessOutput(name: "headless-0", mode: mode, loop: loop)
    let server = try Server(
      loop: loop, outputs: [output], socket: ServerSocket.open(path),
      control: ServerSocket.open(PresentSocket.controlPath(beside: path)),
      makeParkedOutput: { try HeadlessOutput(name: $0, mode: mode, loop: loop) },
      log: { line in self.lines.withLock { $0.append(line) } })
    defer { server.close() }
    let source = try loop.add(stopping.fd.raw) { _ in loop.stop() }
    defer { loop.remove(source) }
    ready.signal()
    try loop.run()
  }

  func stop() {
    stopping.signal()
    ended.wait()
  }
}

/// A daemon, an ivshmem server, and clients of it.
final class Stage {
  let loop: EventLoop
  let directory: String
  private var daemon: DaemonThread?
  let server: IvshmemServer
  var log: [String] { lines.all }
  var daemonLog: [String] { daemon?.lines.withLock { $0 } ?? [] }
  private let lines = Lines()

  final class Lines { var all: [String] = [] }

  var daemonPath: String { directory + "/daemon.sock" }
  var socketPath: String { directory + "/region.sock" }

  init(runsDaemon: Bool = true, slotCount: Int = 3) throws {
    loop = try EventLoop()
    var template = Array("/tmp/framepath-ivshmem.XXXXXX".utf8CString)
    let path = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    directory = try #require(path)
    let layout = try #require(RegionLayout(fittingFrameBytes: 320 * 200 * 4, slotCount: slotCount))
    var options = IvshmemServerOptions(layout: layout, daemonPath: directory + "/daemon.sock")
    options.name = "web"
    options.sharesClock = true
    let lines = lines
    if runsDaemon { daemon = try DaemonThread(directory + "/daemon.sock") }
    server = try IvshmemServer(
      loop: loop, options: options, linkPath: directory + "/region.sock.region", log: { lines.all.append($0) })
    try server.listen(UnixSocket.listenReplacing(directory + "/region.sock"))
  }

  deinit {
    server.stop()
    daemon?.stop()
    _ = unlink(directory + "/region.sock")
    _ = unlink(directory + "/daemon.sock.lock")
    _ = rmdir(directory)
  }

  func startDaemon() throws { daemon = try DaemonThread(daemonPath) }

  func stopDaemon() {
    daemon?.stop()
    daemon = nil
  }

  /// Waits until the daemon shows the first client's picture in that colour, at most 10 s.
  func expectColor(_ color: UInt32) throws {
    var isShown = false
    try run(
      until: {
        // A client without a frame has no picture.
        guard
          let picture = try? PresentTool.snapshot(
            .vm(name: "web", scanout: 0), path: PresentSocket.controlPath(beside: daemonPath))
        else {
          return false
        }
        let row = UnsafeRawBufferPointer(start: picture.mapped.pixels, count: 320 * 4).bindMemory(to: UInt32.self)
        isShown = row.allSatisfy { $0 & 0xFF_FFFF == color }
        return isShown
      }, "the picture is shown")
    #expect(isShown)
  }

  /// Runs the loop until `condition` holds, at most 10 s.
  func run(until condition: () throws -> Bool, _ what: Comment) throws {
    #expect(try loop.wait(until: condition), what)
  }

  /// Connects a client as a container would, and attaches it.
  func connect(_ flags: RegionGuestFlags = [.rings, .listens]) throws -> StageClient {
    // The server's loop runs on this thread: the greeting waits in the socket.
    let socket = try UnixSocket.connect(socketPath, .stream)
    for _ in 0..<3 { try loop.runOnce(timeoutMilliseconds: 20) }
    let client = StageClient(try IvshmemClient.greet(socket))
    try client.open()
    try client.attach(flags, on: self)
    return client
  }
}

/// A client of a region in this process.
final class StageClient {
  private let connection: IvshmemClient
  private(set) var region: RegionGuest?
  private(set) var events: [RegionEvent] = []

  init(_ connection: consuming IvshmemClient) { self.connection = connection }

  func open() throws {
    let size = try connection.memory.byteCount()
    region = try RegionGuest(Mapping(fd: connection.memory.raw, byteCount: size), isWeaklyOrdered: false)
  }

  var fd: Int32 { connection.memory.raw }

  func guest() throws -> RegionGuest { try #require(region) }

  func attach(_ flags: RegionGuestFlags, on stage: Stage) throws {
    let region = try guest()
    region.attach(flags)
    ring()
    try stage.run(until: { try region.attachResult()?.get() != nil }, "the host acknowledges")
  }

  func ring() { connection.hostDoorbell.signal() }

  func drainDoorbell() -> UInt64 { connection.guestDoorbell.drain() }

  /// Fills a free slot with one colour and presents it.
  func present(_ color: UInt32, width: Int = 320, height: Int = 200, rings: Bool = true) throws -> UInt64 {
    let region = try guest()
    let slot = try #require(region.acquire())
    let layout = try #require(
      FrameLayout(width: width, height: height, strideBytes: width * 4, format: .xrgb8888))
    let pixels = region.pixels(of: slot).bindMemory(to: UInt32.self)
    for index in 0..<width * height { pixels[index] = color }
    let frame = try region.present(slot, layout, readyNanoseconds: monotonicNanoseconds())
    if rings { ring() }
    return frame
  }

  func collect() throws {
    while let event = try guest().nextEvent() { events.append(event) }
  }

  func done(_ frame: UInt64) -> RegionOutcome? {
    for case .done(_, frame, let outcome, _, _) in events { return outcome }
    return nil
  }

  func isReleased(_ frame: UInt64) -> Bool {
    events.contains { if case .released(_, frame) = $0 { true } else { false } }
  }
}
