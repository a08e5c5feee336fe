import Glibc
import GraphicsMemory
import Headless
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

@testable import PresentServer

/// A server with fake outputs and clients, all on one thread; nothing happens unless a test triggers it.
final class Bench {
  let loop: EventLoop
  let outputs: [FakeOutput]
  private let folder: TemporaryFolder
  var path: String { "\(folder.path)/framepathd.sock" }
  var controlPath: String { "\(folder.path)/framepathd-control.sock" }
  private(set) var server: Server?
  private final class Notes {
    var parked: [FakeOutput] = []
    var lines: [String] = []
  }
  private let notes = Notes()
  /// The server's time where the test sets it; nil for CLOCK_MONOTONIC.
  let clock: HandClock?
  var parked: [FakeOutput] { notes.parked }
  var lines: [String] { notes.lines }

  /// - Parameters:
  ///   - fallbacks: names of the outputs that are stand-ins.
  ///   - clock: the server's time; without it CLOCK_MONOTONIC.
  ///   - access: who may connect to the sockets.
  init(
    _ outputs: [FakeOutput] = [FakeOutput()], fallbacks: [String] = [], clock: HandClock? = nil,
    options: ServerOptions = ServerOptions(), access: SocketAccess = SocketAccess()
  ) throws {
    loop = try EventLoop()
    folder = try TemporaryFolder()
    // Other users reach the sockets, and need not see the folder.
    try LinuxFile.setMode(of: folder.path, to: 0o711)
    self.outputs = outputs
    self.clock = clock
    var options = options
    if let clock {
      options.clock = PresentClock(clock)
      for output in outputs { output.clock = clock }
    }
    server = try Server(
      loop: loop,
      outputs: outputs.map {
        NamedOutput(name: $0.info.name, output: $0, isFallback: fallbacks.contains($0.info.name))
      }, socket: ServerSocket.open(path, access), control: ServerSocket.open(controlPath, access),
      options: options,
      makeParkedOutput: { [notes] name in
        let output = FakeOutput(name, width: 32, height: 24)
        notes.parked.append(output)
        return output
      }, log: { [notes] in notes.lines.append($0) })
  }

  /// A server with headless outputs, whose vblanks follow the clock.
  init(
    headless modes: [DisplayMode], slowestMillihertz: Int? = nil, options: ServerOptions = ServerOptions()
  ) throws {
    loop = try EventLoop()
    folder = try TemporaryFolder()
    outputs = []
    clock = nil
    let made = try modes.enumerated().map { [loop] in
      try HeadlessOutput(
        name: "headless-\($0.offset)", mode: $0.element, slowestMillihertz: slowestMillihertz, loop: loop)
    }
    server = try Server(
      loop: loop, outputs: made, socket: ServerSocket.open(path), control: ServerSocket.open(controlPath),
      options: options,
      makeParkedOutput: { FakeOutput($0, width: 32, height: 24) }, log: { [notes] in notes.lines.append($0) })
  }

  /// Runs the server until a condition holds; returns whether it held within ten seconds of the server's time.
  func run(until isSo: () throws -> Bool) throws -> Bool {
    if clock != nil {
      for _ in 0..<10_000 {
        try settle()
        if try isSo() { return true }
        try advance(milliseconds: 1)
      }
      return false
    }
    return try loop.wait(until: isSo)
  }

  deinit {
    server?.close()
    server = nil
  }

  var output: FakeOutput { outputs[0] }

  func endServer() {
    server?.close()
    server = nil
  }

  /// Lets the server do all pending work; returns the number of events.
  @discardableResult
  func settle() throws -> Int {
    var events = 0
    while true {
      // On a busy host a copy may need more than one iteration.
      let isCopying = clock == nil && server?.presenters.contains { !$0.work.isEmpty } == true
      let count = try loop.runOnce(timeoutMilliseconds: isCopying ? 5 : 0)
      if count == 0, !isCopying { return events }
      events += count
    }
  }

  /// Advances the server's time, and lets the server do everything that is due by then.
  func advance(milliseconds: UInt64) throws {
    try clock?.advance(nanoseconds: milliseconds * 1_000_000) { try settle() }
    try settle()
  }

  /// The first output's next vblank; where the test sets the time, that is one of a grid of 60 Hz.
  func vblank() throws {
    if let clock {
      let period: UInt64 = 16_666_667
      try clock.advance(nanoseconds: period - clock.nowNanoseconds % period) { try settle() }
    }
    output.vblank()
  }

  /// A client that has not sent anything yet.
  func stranger() throws -> BenchClient { BenchClient(try PresentConnection.connect(path), self) }

  /// A client of another user, or root's, that has not sent anything yet. For tests that run as root.
  func stranger(ofUser uid: UInt32, by purpose: SocketPurpose = .frames) throws -> BenchClient {
    let socket = try UnixSocket.connect(purpose == .control ? controlPath : path, asUser: uid)
    return BenchClient(try PresentConnection(socket), self, mayControl: purpose == .control)
  }

  /// A welcomed tool on the control socket.
  func tool(_ name: String = "tool") throws -> BenchClient {
    let tool = BenchClient(try PresentConnection.connect(controlPath), self, mayControl: true)
    try tool.send(.hello(Hello(kind: .tool, name: name, scanoutCount: 0)))
    _ = try tool.messages()
    return tool
  }

  /// The daemon's status, for a tool that comes and goes.
  func readStatus() throws -> DaemonStatus {
    let tool = try tool()
    defer { tool.leave() }
    return try tool.readStatus()
  }

  /// A welcomed client; its messages up to the outputs' are read.
  func client(_ name: String = "vm", scanouts: Int = 1, outputs: [String] = []) throws -> BenchClient {
    let client = try stranger()
    try client.send(.hello(Hello(kind: .vm, name: name, scanoutCount: scanouts, outputs: outputs)))
    client.note(try client.messages())
    return client
  }
}

/// The client's end, message by message.
final class BenchClient {
  private var connection: PresentConnection?
  private let bench: Bench
  private(set) var outputs: [UInt32: OutputDescription] = [:]
  private(set) var mapped: [UInt32: MappedBuffer] = [:]
  private var lastRequest: UInt64 = 0
  /// Whether the server has closed the connection.
  private(set) var isEnded = false
  private let mayControl: Bool

  init(_ connection: PresentConnection, _ bench: Bench, mayControl: Bool = false) {
    self.connection = connection
    self.bench = bench
    self.mayControl = mayControl
  }

  /// Shuts the socket down at once: a child that another test is starting may keep the descriptor open for longer.
  func leave() {
    if let connection { _ = shutdown(connection.descriptor, Int32(SHUT_RDWR)) }
    connection = nil
  }

  /// For a test that sends without reading.
  var connectionForFlooding: PresentConnection? { connection }

  func send(_ message: ClientMessage, fds: [Int32] = []) throws {
    let isSent = try connection?.send(message, fds: fds)
    #expect(isSent == true)
  }

  /// All messages that the server has for this client now.
  func messages() throws -> [ServerMessage] {
    try bench.settle()
    var result: [ServerMessage] = []
    var fds = ReceivedFDs()
    do throws(PresentProtocolError) {
      var known = -1
      // A long answer follows when the messages before it have been read.
      while known != result.count {
        known = result.count
        while let message = try connection?.receiveServerMessage(fds: &fds) {
          result.append(message)
          take(message, &fds)
          if result.count % 8 == 0 { _ = try? bench.settle() }
        }
        if known != result.count { _ = try? bench.settle() }
      }
    } catch {
      #expect(error == .closed)
      isEnded = true
    }
    note(result)
    return result
  }

  /// Whether the server closes the connection: it has, but a child of another test may keep it open for a moment.
  func ends() throws -> Bool {
    try bench.run {
      _ = try messages()
      return isEnded
    }
  }

  func note(_ messages: [ServerMessage]) {
    for case .output(let output) in messages { outputs[output.scanout] = output }
  }

  private func take(_ message: ServerMessage, _ fds: inout ReceivedFDs) {
    switch message {
    case .buffer(let reply, _):
      guard let fd = fds.take(0),
        let layout = FrameLayout(
          width: Int(reply.width), height: Int(reply.height), strideBytes: Int(reply.strideBytes), format: .xrgb8888)
      else { return }
      mapped[reply.bufferID] = try? MappedBuffer(
        fd: SharedFD(fd), kind: reply.memoryKind, layout: layout, byteCount: Int(reply.byteCount))
    case .snapshotReply(let reply, _):
      guard let fd = fds.take(0) else { return }
      snapshot = try? MappedBuffer(
        fd: SharedFD(fd), kind: reply.memoryKind, layout: reply.layout, byteCount: Int(reply.byteCount))
    case .statusReply(let byteCount, _):
      guard let fd = fds.take(0), let mapping = try? Mapping(fd: fd.raw, byteCount: Int(byteCount), writable: false)
      else { return }
      status = String(decoding: mapping.bytes, as: UTF8.self)
    default: break
    }
  }

  private(set) var snapshot: MappedBuffer?
  private(set) var status = ""

  func generation(_ scanout: UInt32 = 0) -> UInt32 { outputs[scanout]?.generation ?? 0 }

  /// Makes a buffer and expects it to be there.
  @discardableResult
  func makeBuffer(
    _ id: UInt32, _ width: Int = 64, _ height: Int = 48, format: PixelFormat = .xrgb8888,
    usage: BufferUsage = .frame, scanout: UInt32 = 0
  ) throws -> MappedBuffer {
    lastRequest += 1
    try send(
      .createBuffer(
        CreateBuffer(
          bufferID: id, scanout: scanout, generation: generation(scanout), width: UInt32(width),
          height: UInt32(height), format: format, usage: usage), request: lastRequest))
    _ = try messages()
    return try #require(mapped[id])
  }

  func present(
    _ frame: UInt64, _ id: UInt32, source: Rect = Rect(width: 64, height: 48), damage: Damage = .full,
    path: PresentPath = .copy, copiedBytes: UInt64 = 0, scanout: UInt32 = 0, generation: UInt32? = nil
  ) throws {
    try send(
      .present(
        Present(
          scanout: scanout, generation: generation ?? self.generation(scanout), frame: frame, bufferID: id,
          source: source, damage: damage, path: path, copies: copiedBytes > 0 ? 1 : 0, copiedBytes: copiedBytes)))
    try bench.settle()
  }

  /// The daemon's status, by a tool if this is none.
  func readStatus() throws -> DaemonStatus {
    if !mayControl { return try bench.readStatus() }
    lastRequest += 1
    try send(.status(request: lastRequest))
    _ = try messages()
    return try DaemonStatus(json: Array(status.utf8))
  }

  /// The answer to TRACE: the frames that the client may know.
  func readTrace() throws -> DaemonTrace {
    lastRequest += 1
    try send(.trace(request: lastRequest))
    _ = try messages()
    return try DaemonTrace(json: Array(status.utf8))
  }

  func setCursor(_ id: UInt32?, _ x: Int32, _ y: Int32) throws {
    try send(.cursor(SetCursor(scanout: 0, generation: generation(), bufferID: id, x: x, y: y)))
    try bench.settle()
  }
}

extension MappedBuffer {
  func fill(_ pixel: UInt32) {
    for y in 0..<layout.height {
      (pixels + y * layout.strideBytes).initializeMemory(as: UInt32.self, repeating: pixel, count: layout.width)
    }
  }

  func set(_ x: Int, _ y: Int, _ pixel: UInt32) {
    pixels.storeBytes(of: pixel, toByteOffset: y * layout.strideBytes + x * 4, as: UInt32.self)
  }

  /// Red, green and blue of an XRGB8888 picture.
  func color(_ x: Int, _ y: Int) -> UInt32 {
    pixels.load(fromByteOffset: y * layout.strideBytes + x * 4, as: UInt32.self) & 0xff_ffff
  }
}

func done(
  _ frame: UInt64, _ outcome: PresentOutcome, _ sequence: UInt64 = 0, timeNanoseconds: UInt64? = nil,
  scanout: UInt32 = 0
) -> ServerMessage {
  .frameDone(
    FrameDone(
      scanout: scanout, frame: frame, outcome: outcome, timeNanoseconds: timeNanoseconds ?? sequence * 1000,
      sequence: sequence))
}

func released(_ id: UInt32, _ frame: UInt64, scanout: UInt32 = 0) -> ServerMessage {
  .released(Released(bufferID: id, scanout: scanout, frame: frame))
}
