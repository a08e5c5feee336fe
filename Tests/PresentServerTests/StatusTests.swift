import Glibc
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import PresentServer
import Scanout
import ServerSupport
import StatusModel
import Testing

@Suite("Status and snapshots")
struct StatusTests {
  @Test func `a status has the state of daemon, outputs, VMs and scanouts`() throws {
    let bench = try Bench([FakeOutput("A"), FakeOutput("B")])
    let client = try bench.client("quote\"back\\slash", scanouts: 2)
    try client.makeBuffer(1)
    try client.present(1, 1, copiedBytes: 77)
    bench.output.vblank()
    try client.send(.path(scanout: 0, .copy, reason: "the guest cannot be paced\n"))
    let before = monotonicNanoseconds()
    let status = try client.readStatus()
    #expect((before...monotonicNanoseconds()).contains(status.nowNanoseconds))
    #expect(status.unixNanoseconds > 1_700_000_000_000_000_000)
    #expect(status.socket == bench.path)
    #expect((status.clients, status.clientLimit) == (1, 512))
    #expect((status.bufferBytes, status.bufferCapacityBytes) == (64 * 48 * 4, nil))
    #expect(status.process.pid == currentProcessID())
    #expect(status.process.cpuNanoseconds > 0)
    #expect(status.process.startedUnixNanoseconds <= status.unixNanoseconds)
    #expect(try #require(status.process.residentBytes) > 1 << 20)
    #expect(try #require(status.process.descriptorLimit) > 3)

    #expect(status.outputs.map(\.name) == ["A", "B"])
    #expect(status.outputs.map(\.commits) == [1, 0])
    #expect(status.outputs.map(\.vm) == ["quote\"back\\slash", "quote\"back\\slash"])
    let output = status.outputs[0]
    #expect((output.kind, output.width, output.height, output.refreshMillihertz) == (.headless, 64, 48, 60_000))
    #expect((output.policy, output.layout, output.leasePolicy, output.vrr) == (.hybrid, "single", "own", .off))
    #expect((output.power, output.powerReason, output.lessee) == (.on, nil, nil))
    #expect((output.maximumHoldSeconds, output.watchdogSeconds, output.idleOffSeconds) == (nil, nil, nil))

    let vm = try #require(status.vms.first)
    #expect((vm.name, vm.pid, vm.kind) == ("quote\"back\\slash", currentProcessID(), .vm))
    #expect((vm.weight, vm.promisedHertz, vm.cappedHertz, vm.unseenHertz) == (100, nil, nil, 2))
    #expect(vm.scanouts.map(\.index) == [0, 1])
    let scanout = vm.scanouts[0]
    #expect((scanout.output, scanout.width, scanout.height, scanout.format) == ("A", 64, 48, "XRGB8888"))
    #expect((scanout.path, scanout.pathReason) == (.copy, "the guest cannot be paced\n"))
    #expect((scanout.framesPresented, scanout.framesFlipped, scanout.openFrames) == (1, 1, 0))
    #expect((scanout.cpuCopies, scanout.copiedBytes, scanout.buffers) == (1, 77, 1))
    #expect((scanout.grantedFrames, scanout.parked) == (1, nil))
    #expect(try #require(scanout.lastLatchNanoseconds) <= status.nowNanoseconds)
    let blank = vm.scanouts[1]
    #expect((blank.output, blank.width, blank.height, blank.format) == ("B", nil, nil, nil))
    #expect((blank.latchMedianNanoseconds, blank.latchCount, blank.lastLatchNanoseconds) == (nil, 0, nil))
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
    let tool = try bench.tool()
    try tool.send(.snapshot(.output(name: "fake-0"), request: 2))
    _ = try tool.messages()
    let whole = try #require(tool.snapshot)
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
    let tool = try bench.tool()
    try tool.send(.snapshot(.output(name: "fake-0"), request: 2))
    guard case .snapshotReply(let reply, request: 2)? = try tool.messages().last else {
      Issue.record("no snapshot")
      return
    }
    #expect(reply.fromWriteback)
    #expect(tool.snapshot?.color(1, 1) == 0x777777)
  }

  @Test func `unknown VMs, scanouts and outputs are refused with the names that exist`() throws {
    let bench = try Bench()
    let client = try bench.client("web")
    let tool = try bench.tool()
    for (subject, text) in [
      (SnapshotSubject.vm(name: "db", scanout: 0), "there is no VM db; there are: web"),
      (.vm(name: "web", scanout: 1), "web has 1 scanouts, but not scanout 1"),
      (.output(name: "DP-9"), "there is no output DP-9; there are: fake-0"),
    ] {
      try tool.send(.snapshot(subject, request: 3))
      #expect(try tool.messages() == [.error(ErrorMessage(code: .noSuchVM, text: text), request: 3)])
    }
    #expect(!client.isEnded)
  }

  @Test func `a socket in a directory that others may write to is refused`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    for mode: mode_t in [0o777, 0o757] {
      try #require(chmod(folder.path, mode) == 0)
      let error = #expect(throws: ServerError.self) { _ = try ServerSocket.open(path) }
      #expect(
        error?.description.contains("others may write to \(folder.path) (mode \(String(mode, radix: 8)))") == true)
    }
    // As in /tmp: others can add files, but not replace this user's.
    try #require(chmod(folder.path, 0o1777) == 0)
    let socket = try ServerSocket.open(path)
    #expect(LinuxFile.status(socket.path)?.permissions == 0o600)
    #expect(LinuxFile.status(path + ".lock")?.permissions == 0o600)
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
