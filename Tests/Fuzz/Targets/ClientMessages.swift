import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport

/// Messages of two clients of a server with a fake output. After whatever they sent, another client's frame is shown.
enum ClientMessages {
  static func run(_ input: inout FuzzInput) throws {
    let bench = try ServerBench()
    var clients = [try bench.connect(.display), try bench.connect(.control)]
    while !input.isEmpty {
      let operation = input.byte()
      let client = Int(operation >> 7)
      switch operation % 16 {
      case 0: clients[client].send(input.list(input.number(below: 200)), descriptors(&input, bench))
      case 1...9: message(&input, to: clients[client], bench)
      case 10: bench.output.vblank()
      case 11: try bench.advance(milliseconds: UInt64(input.byte()))
      case 12:
        bench.output.plug(input.byte() % 2 == 0)
      case 13: bench.output.refusals = [.rejected("no"), .busy].suffix(input.number(below: 3))
      case 14: bench.output.importRefusal = input.byte() % 2 == 0 ? nil : .rejected("no")
      default: clients[client] = try bench.connect(input.byte() % 2 == 0 ? .display : .control)
      }
      try bench.settle()
      for client in clients { client.receive() }
    }
    clients.removeAll()
    try bench.settle()
    try bench.showWitness()
  }

  /// A valid message with some bytes replaced.
  private static func message(_ input: inout FuzzInput, to client: Peer, _ bench: ServerBench) {
    var bytes = ValidMessages.all[input.number(below: ValidMessages.all.count)]
    for _ in 0..<input.number(below: 4) {
      let place = Int(input.number(UInt16.self)) % bytes.count
      bytes[place] = input.byte()
    }
    client.send(bytes, descriptors(&input, bench))
  }

  private static func descriptors(_ input: inout FuzzInput, _ bench: ServerBench) -> [Int32] {
    switch input.byte() % 8 {
    case 0: [bench.memory]
    case 1: [bench.event]
    case 2: [bench.memory, bench.event]
    case 3: [bench.memory, bench.event, bench.event]
    default: []
    }
  }
}

/// A client's end of a connection, which sends any bytes.
private final class Peer {
  private let socket: UnixSocket

  init(_ path: String) throws {
    socket = try UnixSocket.connect(path, .seqpacket, timeoutMilliseconds: 1000)
    try socket.fd.setNonblocking()
  }

  func send(_ bytes: [UInt8], _ fds: [Int32]) {
    // An ended connection, and a full one, take nothing.
    _ = try? unsafe bytes.withUnsafeBytes { try unsafe socket.send($0, fds: fds) }
  }

  func receive() {
    var bytes = [UInt8](repeating: 0, count: PresentLimits.messageByteCount)
    for _ in 0..<8 {
      var fds = ReceivedFDs()
      let result = try? unsafe bytes.withUnsafeMutableBytes {
        try unsafe socket.receive(into: $0, fds: &fds, wait: false)
      }
      guard case .bytes? = result else { return }
    }
  }
}

/// A server with a fake output, whose time stands still unless it is advanced.
private final class ServerBench {
  let output = FakeOutput()
  private let clock = HandClock()
  private let loop: EventLoop
  private let folder: TemporaryFolder
  private let server: Server
  private let memoryFile: OwnedFD
  private let eventFile: EventFD

  init() throws {
    loop = try EventLoop()
    folder = try TemporaryFolder()
    memoryFile = try MemFD.create(name: "fuzz", byteCount: 1 << 20)
    eventFile = try EventFD()
    var options = ServerOptions()
    options.clock = PresentClock(clock)
    output.clock = clock
    output.isLeasable = true
    output.overlayCount = 1
    server = try Server(
      loop: loop, outputs: [NamedOutput(name: "fake-0", output: output)],
      socket: ServerSocket.open(path(of: .display, in: folder)),
      control: ServerSocket.open(path(of: .control, in: folder)),
      options: options, makeParkedOutput: { FakeOutput($0, width: 32, height: 24) }, log: { _ in })
  }

  deinit { server.close() }

  var memory: Int32 { memoryFile.raw }
  var event: Int32 { eventFile.fd.raw }

  func connect(_ door: Door) throws -> Peer { try Peer(path(of: door, in: folder)) }

  func settle() throws { for _ in 0..<64 where try loop.runOnce(timeoutMilliseconds: 0) == 0 { break } }

  func advance(milliseconds: UInt64) throws {
    try clock.advance(nanoseconds: milliseconds * 1_000_000) { try settle() }
  }

  /// Another VM's frame reaches the screen.
  func showWitness() throws {
    output.refusals = []
    output.importRefusal = nil
    if !output.info.connected { output.plug(true) }
    for _ in 0..<4 {
      output.vblank()
      try settle()
    }
    let witness = try PresentConnection.connect(path(of: .display, in: folder))
    _ = try witness.send(.hello(Hello(kind: .vm, name: "witness", scanoutCount: 1)))
    try settle()
    var generation: UInt32?
    var fds = ReceivedFDs()
    while let message = try witness.receiveServerMessage(fds: &fds) {
      if case .output(let description) = message { generation = description.generation }
    }
    guard let generation else { return check(false, "the witness gets no output") }
    let create = CreateBuffer(
      bufferID: 1, scanout: 0, generation: generation, width: 64, height: 48, format: .xrgb8888, usage: .frame)
    _ = try witness.send(.createBuffer(create, request: 1))
    let present = Present(
      scanout: 0, generation: generation, frame: 1, bufferID: 1, source: Rect(width: 64, height: 48), damage: .full,
      path: .copy, copies: 0, copiedBytes: 0)
    _ = try witness.send(.present(present))
    var isShown = false
    for _ in 0..<8 where !isShown {
      try settle()
      try advance(milliseconds: 20)
      output.vblank()
      try settle()
      while let message = try witness.receiveServerMessage(fds: &fds) {
        if case .frameDone(let done) = message { isShown = done.outcome == .flipped }
      }
    }
    check(isShown, "the witness's frame is not shown")
  }
}

/// The server's sockets.
private enum Door: String {
  case display
  case control
}

private func path(of door: Door, in folder: borrowing TemporaryFolder) -> String { "\(folder.path)/\(door.rawValue)" }

/// The bytes of a valid message of each type.
private enum ValidMessages {
  static let all: [[UInt8]] = {
    var messages: [ClientMessage] = [
      .hello(Hello(kind: .vm, name: "a", scanoutCount: 1)), .hello(Hello(kind: .vm, name: "b", scanoutCount: 2)),
      .hello(Hello(kind: .tool, name: "t", scanoutCount: 0)),
      .createBuffer(
        CreateBuffer(
          bufferID: 1, scanout: 0, generation: 1, width: 64, height: 48, format: .xrgb8888, usage: .frame), request: 1),
      .createBuffer(
        CreateBuffer(
          bufferID: 2, scanout: 0, generation: 1, width: 64, height: 64, format: .argb8888, usage: .cursor), request: 2),
      .destroyBuffer(1), .disable(scanout: 0),
      .cursor(SetCursor(scanout: 0, generation: 1, bufferID: 2, x: 3, y: 4)),
      .path(scanout: 0, .copy, reason: "reason"), .status(request: 3),
      .snapshot(.vm(name: "a", scanout: 0), request: 4), .snapshot(.output(name: "fake-0"), request: 5),
      .settings(count: 1, request: 6), .trace(request: 7),
      .region(
        AttachRegion(
          scanout: 0, regionByteCount: 1 << 20, slotCount: 3, sharesClock: false, hasGuestDoorbell: true)),
      .lease(output: "fake-0", request: 8),
      .syncPoints(SyncPoints(scanout: 0, acquirePoint: 1, releasePoint: 2), request: 9),
      .subscribe([.outputs, .vms, .focus, .settings], request: 10), .focus(vm: "a", request: 11),
      .revoke(output: "fake-0", ofLease: true, request: 12),
    ]
    for frame: UInt64 in 1...3 {
      messages.append(
        .present(
          Present(
            scanout: 0, generation: 1, frame: frame, bufferID: 1, source: Rect(width: 64, height: 48), damage: .full,
            path: .direct, copies: 0, copiedBytes: 0)))
    }
    if let layout = FrameLayout(width: 64, height: 48, strideBytes: 256, format: .xrgb8888) {
      messages.append(
        .importBuffer(
          ImportBuffer(
            bufferID: 1, scanout: 0, generation: 1, layout: layout, modifier: 0, memoryKind: .memfd, rangeCount: 1),
          request: 13))
    }
    return messages.compactMap(bytes)
  }()

  private static func bytes(of message: ClientMessage) -> [UInt8]? {
    guard let pair = try? UnixSocket.pair(.seqpacket) else { return nil }
    return try? bytes(of: message, pair.first, pair.second)
  }

  private static func bytes(
    of message: ClientMessage, _ sender: consuming UnixSocket, _ receiver: borrowing UnixSocket
  ) throws -> [UInt8]? {
    _ = try PresentConnection(sender).send(message)
    var bytes = [UInt8](repeating: 0, count: PresentLimits.messageByteCount)
    var fds = ReceivedFDs()
    let result = try unsafe bytes.withUnsafeMutableBytes {
      try unsafe receiver.receive(into: $0, fds: &fds, wait: false)
    }
    guard case .bytes(let count) = result else { return nil }
    return Array(bytes.prefix(count))
  }
}
