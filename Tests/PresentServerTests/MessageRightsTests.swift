import DaemonSettings
import Foundation
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import TestSupport
import Testing

@testable import PresentServer

/// A kind of peer: a user, a socket, and what it says in HELLO.
private enum PeerKind: CaseIterable {
  case vmOfDaemonUser, vmOfRoot, vmOfOtherUser, lesseeOfDaemonUser, lesseeOfOtherUser
  case toolOfDaemonUser, toolOfRoot, toolOfGroupMember

  /// nil: the daemon's.
  var user: UInt32? {
    switch self {
    case .vmOfDaemonUser, .lesseeOfDaemonUser, .toolOfDaemonUser: nil
    case .vmOfRoot, .toolOfRoot: 0
    case .vmOfOtherUser, .lesseeOfOtherUser, .toolOfGroupMember: 65534
    }
  }

  var role: ClientRole {
    switch self {
    case .vmOfDaemonUser, .vmOfRoot, .vmOfOtherUser: .framesWithScanouts
    case .lesseeOfDaemonUser, .lesseeOfOtherUser: .framesWithoutScanouts
    case .toolOfDaemonUser, .toolOfRoot, .toolOfGroupMember: .control
    }
  }

  /// Only root can connect as others.
  static var available: [PeerKind] { allCases.filter { $0.user == nil || currentUserID() == 0 } }

  func connect(to bench: Bench) throws -> BenchClient {
    let purpose: SocketPurpose = role == .control ? .control : .frames
    let client =
      if let user {
        try bench.stranger(ofUser: user, by: purpose)
      } else {
        purpose == .frames
          ? try bench.stranger()
          : BenchClient(try PresentConnection.connect(bench.controlPath), bench, mayControl: true)
      }
    let hasScanout = role == .framesWithScanouts
    try client.send(.hello(Hello(kind: hasScanout ? .vm : .tool, name: "peer", scanoutCount: hasScanout ? 1 : 0)))
    client.note(try client.messages())
    return client
  }
}

@Suite("Who may send what")
struct MessageRightsTests {
  private let pixels = Rect(width: 4, height: 4)

  /// A server with two outputs, on which "victim" shows a picture.
  private func stage() throws -> (Bench, victim: BenchClient) {
    let bench = try Bench([FakeOutput("a"), FakeOutput("b")], access: SocketAccess(mode: 0o666))
    for output in bench.outputs { output.isLeasable = true }
    try bench.server?.apply("[output.b]\nlease = \"uid 65534\"")
    let victim = try bench.client("victim", outputs: ["a"])
    try victim.makeBuffer(1).fill(0x11_2233)
    try victim.present(1, 1)
    bench.outputs[0].vblank()
    _ = try victim.messages()
    return (bench, victim)
  }

  /// Sends a valid message of a type, as of a VM with the buffer 1.
  private func send(_ type: ClientMessageType, _ client: BenchClient) throws {
    let generation = client.generation()
    switch type {
    case .hello: try client.send(.hello(Hello(kind: .vm, name: "again", scanoutCount: 1)))
    case .createBuffer:
      try client.send(
        .createBuffer(
          CreateBuffer(
            bufferID: 2, scanout: 0, generation: generation, width: 4, height: 4, format: .xrgb8888, usage: .frame),
          request: 7))
    case .importBuffer:
      let memory = try MemFD.create(name: "page", byteCount: pageByteCount)
      let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: pageByteCount)])
      let layout = try #require(FrameLayout(width: 4, height: 4, strideBytes: 16, format: .xrgb8888))
      let message = ImportBuffer(
        bufferID: 2, scanout: 0, generation: generation, layout: layout, modifier: 0, memoryKind: .memfd, rangeCount: 1)
      try client.send(.importBuffer(message, request: 7), fds: [list.raw, memory.raw])
    case .destroyBuffer: try client.send(.destroyBuffer(1))
    case .present:
      try client.send(
        .present(
          Present(
            scanout: 0, generation: generation, frame: 1, bufferID: 1, source: pixels, damage: .full, path: .copy,
            copies: 0, copiedBytes: 0)))
    case .disable: try client.send(.disable(scanout: 0))
    case .cursor: try client.send(.cursor(SetCursor(scanout: 0, generation: generation, bufferID: nil, x: 0, y: 0)))
    case .path: try client.send(.path(scanout: 0, .copy, reason: "because"))
    case .status: try client.send(.status(request: 7))
    case .snapshot: try client.send(.snapshot(.vm(name: "peer", scanout: 0), request: 7))
    case .settings:
      let records = SettingChange(.vm("peer"), 201, .whole(200)).records
      let file = try SettingRecords.file(records)
      try client.send(.settings(count: records.count, request: 7), fds: [file.raw])
    case .trace: try client.send(.trace(request: 7))
    case .region:
      let layout = try #require(RegionLayout(fittingFrameBytes: 64, slotCount: 3))
      let memory = try layout.makeMemory()
      let doorbell = try EventFD()
      let message = AttachRegion(
        scanout: 0, regionByteCount: UInt64(layout.regionByteCount), slotCount: UInt32(layout.slotCount),
        sharesClock: true, hasGuestDoorbell: false)
      try client.send(.region(message), fds: [memory.raw, doorbell.fd.raw])
    case .lease: try client.send(.lease(output: "b", request: 7))
    case .syncPoints:
      try client.send(.syncPoints(SyncPoints(scanout: 0, acquirePoint: nil, releasePoint: nil), request: 7))
    case .subscribe: try client.send(.subscribe(.all, request: 7))
    case .focus: try client.send(.focus(vm: "nobody", request: 7))
    case .device: try client.send(.device(DeviceSettings(memoryLimitBytes: 1 << 20)))
    case .revoke: try client.send(.revoke(output: "b", ofLease: true, request: 7))
    }
  }

  /// The first message that is about the sent one, as in Docs/Protocol.md.
  private func answer(_ client: BenchClient) throws -> String {
    for message in try client.messages() {
      switch message {
      case .error(let error, request: _): return "\(error.code)"
      case .buffer: return "BUFFER"
      case .statusReply: return "STATUS_REPLY"
      case .snapshotReply: return "SNAPSHOT_REPLY"
      case .done: return "DONE"
      case .leased: return "LEASED"
      case .regionNews: return "REGION_NEWS"
      case .deviceSettings: return "DEVICE_SETTINGS"
      default: continue
      }
    }
    return ""
  }

  /// The answers to a client that has the right; none if it is empty.
  private func answers(_ type: ClientMessageType, _ role: ClientRole) -> [String] {
    switch type {
    case .hello: ["malformed"]  // a second one
    case .createBuffer, .importBuffer: ["BUFFER"]
    case .destroyBuffer, .present, .disable, .cursor, .path, .subscribe: [""]
    case .status, .trace: ["STATUS_REPLY"]
    // A tool names a VM that is not there.
    case .snapshot: [role == .control ? "noSuchVM" : "SNAPSHOT_REPLY"]
    case .settings: ["DONE"]
    case .region: ["REGION_NEWS"]
    case .device: ["DEVICE_SETTINGS"]
    case .lease: ["LEASED"]
    // Without a DRM driver there are no points.
    case .syncPoints: ["", "refused"]
    case .focus, .revoke: ["refused"]
    }
  }

  @Test(arguments: PeerKind.available)
  fileprivate func `every message of every kind of peer is accepted or refused as the table says`(_ kind: PeerKind)
    throws
  {
    for type in ClientMessageType.allCases {
      let (bench, victim) = try stage()
      let peer = try kind.connect(to: bench)
      let right = MessageRights.right(of: kind.role, to: type)
      if kind.role == .framesWithScanouts { try peer.makeBuffer(1) }
      try send(type, peer)
      try bench.settle()
      if type == .lease { for _ in 0..<2 { bench.outputs[1].vblank() } }
      let answer = try answer(peer)
      switch right {
      case .allowed, .own: #expect(answers(type, kind.role).contains(answer), "\(type.name): \(answer)")
      case .named: #expect(answer == (kind.user == 65534 ? "LEASED" : "refused"), "\(type.name)")
      case .denied: #expect(answer == "denied", "\(type.name)")
      }
      #expect(peer.isEnded == (type == .hello), "\(type.name)")
      // Nobody's message has cost the victim its screen.
      try victim.present(2, 1)
      bench.outputs[0].vblank()
      #expect(
        try victim.messages().contains { if case .frameDone(let done) = $0 { done.outcome == .flipped } else { false } }
      )
    }
  }

  @Test func `a VM learns about itself only, and not whether another VM or output exists`() throws {
    let (bench, victim) = try stage()
    let peer = try bench.client("peer")
    try peer.send(.status(request: 1))
    _ = try peer.messages()
    let status = try OwnStatus(json: Array(peer.status.utf8))
    #expect(status.vms.map(\.name) == ["peer"])
    #expect(status.vms[0].uid == currentUserID())
    #expect(status.outputs.map(\.name) == ["a", "b"])
    #expect(!peer.status.contains("victim"))
    #expect(try peer.readTrace().scanouts.map(\.vm) == ["peer"])
    let text = "a client gets snapshots of its own scanouts; of others by the control socket, \(bench.controlPath)"
    for subject: SnapshotSubject in [
      .vm(name: "victim", scanout: 0), .vm(name: "nobody", scanout: 0), .output(name: "a"), .output(name: "DP-9"),
    ] {
      try peer.send(.snapshot(subject, request: 2))
      #expect(try peer.messages() == [.error(ErrorMessage(code: .denied, text: text), request: 2)])
    }
    #expect(peer.snapshot == nil)
    #expect(!victim.isEnded)
  }

  @Test func `a refused message names the socket that it is for`() throws {
    let bench = try Bench()
    func refusal(_ client: BenchClient, _ message: ClientMessage) throws -> String? {
      try client.send(message)
      guard case .error(let error, request: _)? = try client.messages().last else { return nil }
      return error.text
    }
    let vm = try bench.client()
    #expect(
      try refusal(vm, .subscribe(.all, request: 1)) == "SUBSCRIBE is for the control socket, \(bench.controlPath)")
    let lessee = try PeerKind.lesseeOfDaemonUser.connect(to: bench)
    #expect(
      try refusal(lessee, .status(request: 1))
        == "STATUS is for clients with scanouts, or for the control socket, \(bench.controlPath)")
    #expect(
      try refusal(bench.tool(), .destroyBuffer(1)) == "DESTROY_BUFFER is for clients that show frames, by \(bench.path)"
    )
  }

  @Test(arguments: [ClientKind.vm, .container, .tool])
  func `no client of the control socket has scanouts`(_ kind: ClientKind) throws {
    let bench = try Bench()
    let client = BenchClient(try PresentConnection.connect(bench.controlPath), bench)
    try client.send(.hello(Hello(kind: kind, name: "web", scanoutCount: 1)))
    let text = "the control socket is for tools without scanouts; frames are shown by \(bench.path)"
    #expect(try client.messages() == [.error(ErrorMessage(code: .malformed, text: text), request: 0)])
    #expect(try client.ends())
    #expect(try bench.client("web").outputs.count == 1)
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a second user who asks for a name in use is told so, and not by whom`() throws {
    let bench = try Bench(access: SocketAccess(mode: 0o666))
    let web = try bench.client("web")
    let late = try bench.stranger(ofUser: 65534)
    try late.send(.hello(Hello(kind: .vm, name: "web", scanoutCount: 1)))
    let text = "a client of another user is connected as web"
    #expect(try late.messages() == [.error(ErrorMessage(code: .nameTaken, text: text), request: 0)])
    #expect(try late.ends())
    #expect(!web.isEnded)
    #expect(try bench.readStatus().vms.map(\.uid) == [0])
  }

  @Test func `names are the same if they are canonically equivalent`() throws {
    let bench = try Bench()
    let client = try bench.client("caf\u{E9}")
    let second = try bench.stranger()
    try second.send(.hello(Hello(kind: .vm, name: "cafe\u{301}", scanoutCount: 1)))
    guard case .error(let error, request: 0)? = try second.messages().first else {
      Issue.record("accepted")
      return
    }
    #expect(error.code == .nameTaken)
    #expect(!client.isEnded)
  }

  @Test func `a tool with a VM's name is a tool in the log`() throws {
    let bench = try Bench()
    bench.output.isLeasable = true
    _ = try bench.client("web")
    let tool = try bench.tool("web")
    try tool.send(.lease(output: "fake-0", request: 1))
    for _ in 0..<2 {
      try bench.settle()
      bench.output.vblank()
    }
    try bench.settle()
    #expect(bench.lines.last == "tool web (process \(currentProcessID())): leases fake-0")
  }

  @Test func `Docs/Security.md has the current table`() throws {
    let docs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs/Security.md")
    let text = try String(contentsOf: docs, encoding: .utf8)
    let table = MessageRights.markdown.joined(separator: "\n")
    #expect(text.contains("\n\(table)\n"), "it should be:\n\(table)")
  }
}
