import DaemonSettings
import LinuxIO
import PresentClient
import PresentProtocol
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

@Suite("Telling clients of changes")
struct ChangeFeedTests {
  private func subscriber(_ bench: Bench, _ kinds: ChangeKinds = .all) throws -> BenchClient {
    let tool = try bench.tool()
    try tool.send(.subscribe(kinds, request: 5))
    #expect(try tool.messages() == [])
    return tool
  }

  @Test func `a client that connects, moves and disconnects is reported as VMS`() throws {
    let bench = try Bench([FakeOutput("a"), FakeOutput("b")])
    let tool = try subscriber(bench, .vms)
    let vm = try bench.client("web")
    #expect(try tool.messages() == [.changed(.vms, request: 5)])
    _ = try tool.readStatus()
    try bench.server?.apply("[vm.web]\noutputs = \"b\"")
    #expect(try tool.messages() == [.changed(.vms, request: 5)])
    _ = try tool.readStatus()
    vm.leave()
    #expect(try tool.messages() == [.changed(.vms, request: 5)])
  }

  @Test func `settings, a power state and another VM in focus are reported by their kinds`() throws {
    let bench = try Bench()
    try bench.server?.apply("[outputs]\nlayout = \"focus\"")
    let one = try bench.client("one")
    let two = try bench.client("two")
    let tool = try subscriber(bench)
    try bench.server?.apply("[vm.one]\nweight = 5")
    #expect(try tool.messages() == [.changed(.settings, request: 5)])
    _ = try tool.readStatus()
    try bench.server?.focus(onVM: "two")
    #expect(try tool.messages() == [.changed(.focus, request: 5)])
    _ = try tool.readStatus()
    try bench.server?.apply("[outputs]\npower = \"blank\"")
    #expect(try tool.messages() == [.changed([.settings, .outputs], request: 5)])
    #expect(!one.isEnded && !two.isEnded)
  }

  @Test func `a kind is reported once until the next status request, however often it changes`() throws {
    let bench = try Bench()
    let tool = try subscriber(bench)
    for weight in 1...200 {
      try bench.server?.apply("[vm.web]\nweight = \(weight)")
      try bench.settle()
    }
    #expect(try tool.messages() == [.changed(.settings, request: 5)])
    #expect(try tool.readStatus().outputs.isEmpty == false)
    #expect(try tool.messages() == [])
    try bench.server?.apply("[vm.web]\nweight = 7")
    #expect(try tool.messages() == [.changed(.settings, request: 5)])
  }

  @Test func `only the kinds of the last SUBSCRIBE are reported, and none after an empty one`() throws {
    let bench = try Bench()
    let tool = try subscriber(bench, .focus)
    try bench.server?.apply("[vm.web]\nweight = 5")
    #expect(try tool.messages() == [])
    try tool.send(.subscribe(.settings, request: 6))
    #expect(try tool.messages() == [])
    try bench.server?.apply("[vm.web]\nweight = 6")
    #expect(try tool.messages() == [.changed(.settings, request: 6)])
    try tool.send(.subscribe([], request: 7))
    #expect(try tool.messages() == [])
    try bench.server?.apply("[vm.web]\nweight = 7")
    #expect(try tool.messages() == [])
  }

  @Test func `frames alone are not a change`() throws {
    let bench = try Bench()
    let vm = try bench.client("web")
    try vm.makeBuffer(1)
    try vm.present(1, 1)
    bench.output.vblank()
    let tool = try subscriber(bench)
    for frame: UInt64 in 2...5 {
      try vm.present(frame, 1)
      bench.output.vblank()
    }
    #expect(try tool.messages() == [])
  }

  @Test func `a tool that watches is woken by a change, not by time, and reads the new state`() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/framepathd.sock"
    let control = PresentSocket.controlPath(beside: path)
    let server = try ServerThread(path: path)
    let watch = try PresentWatch(.settings, path: control)
    #expect(try watch.status().outputs.map(\.layout) == ["single"])
    #expect(try watch.next(withinMilliseconds: 0) == nil)
    try PresentTool.perform(.settings(SettingChange(.allOutputs, 1, .layout(.tile)).records), path: control)
    #expect(try watch.next(withinMilliseconds: 10_000) == .settings)
    #expect(try watch.status().outputs.map(\.layout) == ["tile"])
    try server.stop()
    #expect(throws: PresentClientError.self) { try watch.next(withinMilliseconds: 10_000) }
  }
}
