import Foundation
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import Testing

@Suite("Status and snapshots")
struct StatusTests {
  @Test func `the status has every documented key`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let client = try bench.client("quote\"back\\slash", scanouts: 2)
    try client.makeBuffer(1)
    try client.present(1, 1, copiedBytes: 77)
    bench.output.vblank()
    try client.send(.path(scanout: 0, .copy, reason: "the guest cannot be paced\n"))
    try client.send(.status(request: 4))
    _ = try client.messages()
    let root = try #require(try JSONSerialization.jsonObject(with: Data(client.status.utf8)) as? [String: Any])
    let outputs = try #require(root["outputs"] as? [[String: Any]])
    #expect(outputs.count == 2)
    #expect(outputs[0]["name"] as? String == "A")
    #expect(outputs[0]["kind"] as? String == "headless")
    for (key, value) in [
      "width": 64, "height": 48, "refreshMillihertz": 60_000, "commits": 1, "missedVblanks": 0,
    ] { #expect(outputs[0][key] as? Int == value) }
    let vm = try #require((root["vms"] as? [[String: Any]])?.first)
    #expect(vm["name"] as? String == "quote\"back\\slash")
    #expect(vm["pid"] as? Int == Int(currentProcessID()))
    let scanouts = try #require(vm["scanouts"] as? [[String: Any]])
    #expect(scanouts.count == 2)
    for (key, value) in [
      "index": 0, "width": 64, "height": 48, "framesPresented": 1, "framesFlipped": 1, "framesSuperseded": 0,
      "cpuCopies": 1, "copiedBytes": 77,
    ] { #expect(scanouts[0][key] as? Int == value) }
    #expect(scanouts[0]["output"] as? String == "A")
    #expect(scanouts[0]["format"] as? String == "XRGB8888")
    #expect(scanouts[0]["path"] as? String == "copy")
    #expect(scanouts[0]["pathReason"] as? String == "the guest cannot be paced\n")
  }

  @Test func `a snapshot of a VM has the frame's size, its pixels and its cursor`() throws {
    let bench = try Bench([FakeOutput(width: 128, height: 96, fit: .centered(x: 32, y: 24))])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 70, 50, format: .rgbx8888)
    mapped.fill(0x11_22_33_00)
    let cursor = try client.makeBuffer(9, format: .argb8888, usage: .cursor)
    cursor.fill(0)
    cursor.set(3, 4, 0xff_aa_bb_cc)
    try client.setCursor(9, 10, 20)
    try client.present(1, 1, source: Rect(x: 6, y: 2, width: 64, height: 48))
    bench.output.vblank()
    try client.send(.snapshot(.vm(name: "vm", scanout: 0), request: 1))
    _ = try client.messages()
    let picture = try #require(client.snapshot)
    #expect(picture.layout.width == 64)
    #expect(picture.layout.height == 48)
    #expect(picture.color(0, 0) == 0x11_22_33)
    #expect(picture.color(13, 24) == 0xaa_bb_cc)
    // The output's picture has the mode's size, with the frame in its place.
    try client.send(.snapshot(.output(name: "fake-0"), request: 2))
    _ = try client.messages()
    let whole = try #require(client.snapshot)
    #expect(whole.layout.width == 128)
    #expect(whole.color(31, 24) == 0)
    #expect(whole.color(32, 24) == 0x11_22_33)
    #expect(whole.color(32 + 13, 24 + 24) == 0xaa_bb_cc)
  }

  @Test func `a snapshot by the hardware is preferred and marked`() throws {
    let bench = try Bench()
    let client = try bench.client()
    let mine = try client.makeBuffer(1)
    mine.fill(0x777777)
    bench.output.captured = mine
    try client.send(.snapshot(.output(name: "fake-0"), request: 2))
    guard case .snapshotReply(let reply, request: 2)? = try client.messages().last else {
      Issue.record("no snapshot")
      return
    }
    #expect(reply.fromWriteback)
    #expect(client.snapshot?.color(1, 1) == 0x777777)
  }

  @Test func `unknown VMs, scanouts and outputs are refused with the names that exist`() throws {
    let bench = try Bench()
    let client = try bench.client("web")
    for (subject, text) in [
      (SnapshotSubject.vm(name: "db", scanout: 0), "there is no VM db; there are: web"),
      (.vm(name: "web", scanout: 1), "web has 1 scanouts, and none with index 1"),
      (.output(name: "DP-9"), "there is no output DP-9; there are: fake-0"),
    ] {
      try client.send(.snapshot(subject, request: 3))
      #expect(try client.messages() == [.error(ErrorMessage(code: .noSuchVM, text: text), request: 3)])
    }
  }

  @Test func `a second daemon on the same socket is refused, and a dead one's socket is replaced`() throws {
    let bench = try Bench()
    #expect(throws: ServerError.socketTaken(path: bench.path, pid: currentProcessID())) {
      _ = try ServerSocket.open(bench.path)
    }
    #expect(try bench.client().outputs.count == 1)
    bench.endServer()
    _ = try UnixSocket.listen(bench.path, .seqpacket)
    #expect(LinuxFile.status(bench.path)?.kind == .socket)
    let socket = try ServerSocket.open(bench.path)
    #expect(socket.path == bench.path)
  }
}
