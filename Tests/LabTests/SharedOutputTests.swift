import Foundation
import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// Many VMs on one screen, each shown at every vblank: the real daemon, and clients by the protocol's own library.
@Suite("Many VMs on one output", .serialized, .enabled(if: Lab.card == nil))
struct SharedOutputTests {
  @Test(arguments: [4, 16])
  func `each of 4 and 16 VMs is in every commit for which its frame is in time, in its own tile to the pixel`(
    count: Int
  ) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", "tile"])
    let stage = try PlayerStage(host, count: count)
    try stage.play(vblanks: 180)
    let judge = try CommitJudge(host, vms: stage.players.map(\.name), last: 90)
    #expect(judge.frameCount >= count * 45)
    #expect(judge.missedPercent <= 1, "\(judge.missedCount) of \(judge.frameCount)")
    try stage.settle()
    let picture = try host.snapshot(output: "headless-0")
    let wanted = try stage.wantedPicture(host.status(), width: 640, height: 480)
    #expect(picture == wanted)
    #expect(try host.status().scanout(vm: "vm0").path == .blit)
  }

  @Test func `frames that are in time do not miss their commit beside a VM that floods and one that never finishes`()
    throws
  {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", "tile", "3x2"])
    let stage = try PlayerStage(host, count: 4)
    let silent = try Player(stage.loop, host, "silent")
    try stage.run { silent.isReady }
    let flood = try Flood(host)
    defer { flood.stop() }
    try stage.run { flood.count > 1_000 }
    let before = flood.count
    try stage.play(vblanks: 240)
    let judge = try CommitJudge(host, vms: stage.players.map(\.name), last: 120)
    #expect(judge.frameCount >= 4 * 60)
    #expect(judge.missedPercent <= 1, "\(judge.missedCount) of \(judge.frameCount)")
    #expect(flood.count > before)
  }

  @Test func `the focus goes to another VM with the next commit, again and again`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", "focus"])
    let stage = try PlayerStage(host, count: 3)
    for player in stage.players { player.present() }
    try stage.run(milliseconds: 200)
    try host.expect(output: "headless-0", shows: .solid(stage.players[0].color, width: 640, height: 480))
    for round in 0..<6 {
      let player = stage.players[(round + 1) % 3]
      let before = try #require(try host.status().outputs.first).commits
      try host.framepath(["focus", player.name])
      try host.expect(output: "headless-0", shows: .solid(player.color, width: 640, height: 480))
      try stage.run(milliseconds: 40)
      #expect(try #require(try host.status().outputs.first).commits == before + 1)
    }
  }

  @Test(.enabled(if: currentUserID() == 0, "needs root to be somebody else"))
  func `a user who can reach the frames socket only can neither change settings nor see the status of others`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    // As an administrator might who lets others show frames.
    _ = try ChildProcess.run(ChildCommand("chmod", ["755", host.folder]))
    _ = try ChildProcess.run(ChildCommand("chmod", ["666", host.socket]))
    func asNobody(_ arguments: [String]) throws -> ChildResult {
      try ChildProcess.run(
        ChildCommand(
          "setpriv",
          ["--reuid=65534", "--regid=65534", "--clear-groups", Lab.program("framepath")] + arguments + [
            "--socket", host.socket,
          ]))
    }
    for command in [["policy", "fifo"], ["status"]] {
      let refused = try asNobody(command)
      #expect(!refused.exit.isSuccess)
      #expect(refused.error.contains("the control socket of framepathd"), "\(refused.error)")
    }
    #expect(try host.framepath(["status", "--json"]).contains(#""policy":"hybrid""#))
  }

  @Test func `changing policies while four VMs present loses none of their frames`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", "tile"])
    let stage = try PlayerStage(host, count: 4)
    try stage.play(vblanks: 10)
    for policy in ["fifo", "round-robin", "weighted-fair", "sla", "hybrid"] {
      try host.framepath(["policy", policy])
      try stage.play(vblanks: 20)
    }
    try stage.settle()
    for player in stage.players {
      let scanout = try host.status().scanout(vm: player.name)
      #expect(scanout.framesPresented == scanout.framesFlipped)
      #expect(player.supersededCount == 0)
    }
  }
}

/// Clients on one loop.
private final class PlayerStage {
  let loop: EventLoop
  private(set) var players: [Player] = []

  init(_ host: LabHost, count: Int) throws {
    loop = try EventLoop()
    for index in 0..<count {
      players.append(try Player(loop, host, "vm\(index)", color: UInt32(0x0c_1523 * (index + 1))))
    }
    let players = players
    try run { players.allSatisfy(\.isReady) }
    // The grid grew while they connected: create buffers of the last size.
    try run(milliseconds: 100)
    for player in players { try player.makeBuffers() }
  }

  /// Every client presents at each flip of its last frame.
  func play(vblanks: UInt64) throws {
    for player in players { player.startPlaying() }
    try run { self.players.allSatisfy { $0.lastSequence >= $0.firstSequence + vblanks && $0.firstSequence > 0 } }
    for player in players { player.isPlaying = false }
  }

  /// Until every frame is on screen.
  func settle() throws { try run { self.players.allSatisfy { $0.openCount == 0 } } }

  func wantedPicture(_ status: DaemonStatus, width: Int, height: Int) throws -> Picture {
    var picture = Picture.solid(0, width: width, height: height)
    for player in players {
      let tile = try #require(status.outputs.first?.vms.first { $0.name == player.name })
      for y in tile.y..<tile.y + tile.height {
        for x in tile.x..<tile.x + tile.width { picture.pixels[y * width + x] = player.color }
      }
    }
    return picture
  }

  func run(milliseconds: UInt64) throws {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while monotonicNanoseconds() < deadline { try loop.runOnce(timeoutMilliseconds: 5) }
  }

  func run(until isDone: () -> Bool) throws { try loop.run(until: isDone) }
}

/// A client with two pictures of one colour.
private final class Player {
  let name: String
  let color: UInt32
  var isPlaying = false
  private(set) var firstSequence: UInt64 = 0
  private(set) var lastSequence: UInt64 = 0
  private(set) var supersededCount = 0
  private(set) var openCount = 0
  private let client: PresentClient
  private var buffers: [PresentBuffer] = []
  private var frame: UInt64 = 0

  init(_ loop: EventLoop, _ host: LabHost, _ name: String, color: UInt32 = 0) throws {
    self.name = name
    self.color = color
    client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: name, scanoutCount: 1))
    client.onEvent = { [unowned self] event in
      guard case .frameDone(let done) = event else { return }
      openCount -= 1
      guard done.outcome == .flipped else {
        supersededCount += 1
        return
      }
      if firstSequence == 0 { firstSequence = done.sequence }
      lastSequence = done.sequence
      if isPlaying { present() }
    }
    try client.start()
  }

  var isReady: Bool { client.output(0) != nil }

  func makeBuffers() throws {
    let mode = try #require(client.output(0)).mode
    for _ in 0..<2 {
      let buffer = try client.createBuffer(scanout: 0, width: mode.width, height: mode.height, format: .xrgb8888)
      let mapped = buffer.mapped
      for y in 0..<mode.height {
        for x in 0..<mode.width {
          mapped.pixels.storeBytes(of: color, toByteOffset: y * mapped.layout.strideBytes + x * 4, as: UInt32.self)
        }
      }
      buffers.append(buffer)
    }
  }

  func startPlaying() {
    (isPlaying, firstSequence) = (true, 0)
    if openCount == 0 { present() }
  }

  func present() {
    frame += 1
    openCount += 1
    let buffer = buffers[Int(frame % 2)]
    client.present(
      PresentFrame(scanout: 0, frame: frame, bufferID: buffer.id, source: buffer.mapped.layout.bounds, path: .copy))
  }
}

/// A client on its own thread that presents as fast as its socket accepts, and reads the answers.
private final class Flood: Sendable {
  private let state = FloodState()
  private let done = DispatchSemaphore(value: 0)

  init(_ host: LabHost) throws {
    let (socket, state, done) = (host.socket, state, done)
    Thread.detachNewThread {
      do { try Flood.run(socket, state) } catch { print("the flood ended: \(error)") }
      done.signal()
    }
  }

  var count: Int { state.count }

  func stop() {
    state.stop()
    done.wait()
  }

  private static func run(_ socket: String, _ state: FloodState) throws {
    let connection = try PresentConnection.connect(socket)
    var fds = ReceivedFDs()
    _ = try connection.send(.hello(Hello(kind: .container, name: "flood", scanoutCount: 1)))
    var generation: UInt32 = 0
    var isMade = false
    var frame: UInt64 = 0
    while !state.isStopped {
      while let message = try connection.receiveServerMessage(fds: &fds) {
        switch message {
        case .output(let output):
          generation = output.generation
          let create = CreateBuffer(
            bufferID: 1, scanout: 0, generation: generation, width: 64, height: 64, format: .xrgb8888, usage: .frame)
          _ = try connection.send(.createBuffer(create, request: 1))
        case .buffer: isMade = true
        default: break
        }
      }
      var isSent = false
      if isMade {
        isSent = try connection.send(
          .present(
            Present(
              scanout: 0, generation: generation, frame: frame + 1, bufferID: 1, source: Rect(width: 64, height: 64),
              damage: .full, path: .copy, copies: 0, copiedBytes: 0)))
      }
      if isSent {
        frame += 1
        state.note(Int(frame))
      } else {
        _ = try waitUntilReady(
          connection.descriptor, [.readable, .writable], timeoutMilliseconds: 20)
      }
    }
  }
}

private final class FloodState: @unchecked Sendable {
  private let lock = NSLock()
  private var frames = 0
  private var stopped = false

  var count: Int { lock.withLock { frames } }
  var isStopped: Bool { lock.withLock { stopped } }
  func note(_ count: Int) { lock.withLock { frames = count } }
  func stop() { lock.withLock { stopped = true } }
}
