import DaemonSettings
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

/// The daemon's handling of leases; the kernel's leases are tested in the lab.
@Suite("An output as a lease")
struct LeaseTests {
  private let leased = ServerMessage.leased(
    Leased(lesseeID: 7, connectorID: 42, crtcID: 37, planeID: 31), request: 5)

  /// VMs live as long as their test.
  private final class Stage { var clients: [BenchClient] = [] }
  private let stage = Stage()

  /// VMs on a leasable output, each with its picture.
  private func stage(_ vms: [String], _ settings: String = "") throws -> (Bench, [BenchClient]) {
    let bench = try Bench(clock: HandClock())
    bench.output.isLeasable = true
    try bench.server?.apply("[outputs]\n\(settings)")
    let clients = try vms.map { try bench.client($0) }
    for (index, client) in clients.enumerated() {
      try client.makeBuffer(1).fill(UInt32(index + 1))
      try client.makeBuffer(2).fill(UInt32(index + 11))
      try client.present(1, 1)
    }
    try bench.vblank()
    for client in clients { _ = try client.messages() }
    stage.clients = clients
    return (bench, clients)
  }

  private func tool(_ bench: Bench, _ name: String = "player") throws -> BenchClient {
    try bench.tool(name)
  }

  private func lease(_ client: BenchClient, _ output: String = "fake-0") throws -> [ServerMessage] {
    try client.send(.lease(output: output, request: 5))
    return try client.messages()
  }

  private func shown(_ bench: Bench) throws -> UInt32? {
    try bench.vblank()
    try bench.settle()
    return try bench.output.shown?.buffer?.mapped().color(0, 0)
  }

  @Test
  func `a lease hides the VM, the VM continues slowly, and its newest frame is shown when the lessee has gone`()
    throws
  {
    let (bench, clients) = try stage(["web"])
    let player = try tool(bench)

    #expect(try lease(player) == [])
    #expect(bench.output.leaseSteps == ["clear"])
    try bench.vblank()
    #expect(try player.messages() == [leased])
    #expect(bench.output.leaseSteps == ["clear", "lease"])

    let commits = bench.output.commits.count
    try clients[0].present(2, 2)
    var told: [ServerMessage] = []
    #expect(
      try bench.run {
        told += try clients[0].messages()
        return told.contains { if case .frameDone(let done) = $0 { done.frame == 2 } else { false } }
      })
    #expect(bench.output.commits.count == commits)

    player.leave()
    try bench.settle()
    #expect(bench.output.leaseSteps == ["clear", "lease", "show"])
    #expect(try shown(bench) == 1)
    #expect(try shown(bench) == 11)
    #expect(!clients[0].isEnded)
  }

  @Test func `a pending commit ends before the output is cleared`() throws {
    let (bench, clients) = try stage(["web"])
    let player = try tool(bench)
    try clients[0].present(2, 2)
    #expect(try lease(player) == [])
    #expect(bench.output.leaseSteps == [])
    try bench.vblank()
    #expect(bench.output.leaseSteps == ["clear"])
    let time = bench.clock?.nowNanoseconds
    #expect(try clients[0].messages().contains(done(2, .flipped, 102, timeNanoseconds: time)))
    try bench.vblank()
    #expect(try player.messages() == [leased])
  }

  @Test(arguments: ["blank", "off"])
  func `an output that is not on stays so after a lease, and shows its VM when it is turned on`(power: String) throws {
    let (bench, _) = try stage(["web"])
    try bench.server?.apply("[outputs]\npower = \"\(power)\"")
    let darkness: UInt32? = power == "blank" ? 0 : nil
    #expect(try shown(bench) == darkness)
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    player.leave()
    try bench.settle()
    #expect(bench.output.leaseSteps == ["clear", "lease", "show"])
    #expect(try shown(bench) == darkness)
    #expect(try shown(bench) == darkness)
    try bench.server?.apply("[outputs]\npower = \"on\"")
    #expect(try bench.run { try shown(bench) == 1 })
  }

  @Test func `an output turned off during a lease is off when the lessee has gone, and not before`() throws {
    let (bench, _) = try stage(["web"])
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    let commits = bench.output.commits.count
    try bench.server?.apply("[outputs]\npower = \"off\"")
    try bench.settle()
    #expect(bench.output.commits.count == commits)
    player.leave()
    try bench.settle()
    #expect(try shown(bench) == 1)
    #expect(try bench.run { try shown(bench) == nil })
  }

  @Test func `the time of a lease does not count as idle`() throws {
    let (bench, _) = try stage(["web"], "idle-off = 2")
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    try bench.advance(milliseconds: 3_000)
    player.leave()
    try bench.settle()
    #expect(try shown(bench) == 1)
    try bench.advance(milliseconds: 1_900)
    #expect(try shown(bench) == 1)
    try bench.advance(milliseconds: 200)
    #expect(try shown(bench) == nil)
  }

  @Test func `the former focus holder gets the output back, not the VM that waited longest`() throws {
    let (bench, _) = try stage(["a", "b", "c"], "layout = \"focus\"")
    try bench.server?.focus(onVM: "b")
    #expect(try bench.run { try shown(bench) == 2 })
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    player.leave()
    #expect(try bench.run { try shown(bench) == 2 })
    try bench.vblank()
    #expect(try shown(bench) == 2)
  }

  @Test func `max-hold ends a lease while a VM waits, and the lessee gets the reason`() throws {
    let (bench, _) = try stage(["web"], "max-hold = 10")
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    try bench.advance(milliseconds: 9_900)
    #expect(try player.messages() == [])
    try bench.advance(milliseconds: 200)
    #expect(try player.messages() == [.leaseEnded(why: "its limit of 10 s has expired and others wait", request: 5)])
    #expect(try shown(bench) == 1)
  }

  @Test func `a second lessee waits for the first, and takes precedence over VMs`() throws {
    let (bench, _) = try stage(["web"])
    let (first, second) = (try tool(bench, "first"), try tool(bench, "second"))
    _ = try lease(first)
    try bench.vblank()
    #expect(try first.messages() == [leased])
    #expect(try lease(second) == [])
    let output = try #require(try first.readStatus().outputs.first)
    #expect((output.leasesWaiting, output.lessee?.name) == (1, "first"))
    first.leave()
    try bench.settle()
    for _ in 0..<2 { try bench.vblank() }
    #expect(try second.messages() == [leased])
    second.leave()
    #expect(try bench.run { try shown(bench) == 1 })
  }

  @Test(arguments: 0..<4)
  func `the host revokes a lease by command, by focus, and by forbidding it`(way: Int) throws {
    let (bench, _) = try stage(["web"])
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    _ = try player.messages()
    let server = try #require(bench.server)
    let (command, why): (() throws -> Void, String) = [
      ({ try server.revokeLease(output: "fake-0") }, "the host took fake-0 back"),
      ({ try server.revoke(output: "fake-0") }, "the host took fake-0 back"),
      ({ try server.focus(onVM: "web") }, "fake-0 goes to web"),
      (
        { try server.apply("[output.fake-0]\nlease = \"off\"") },
        "fake-0 cannot be leased: [output.fake-0] has lease = \"off\""
      ),
    ][way]
    try command()
    #expect(try player.messages() == [.leaseEnded(why: why, request: 5)])
    #expect(try shown(bench) == 1)
    #expect(!player.isEnded)
  }

  @Test func `a lessee that closes its device gets LEASE_ENDED, and may request another lease`() throws {
    let (bench, _) = try stage(["web"])
    let player = try tool(bench)
    for _ in 0..<2 {
      _ = try lease(player)
      try bench.vblank()
      #expect(try player.messages() == [leased])
      bench.output.loseLessee()
      #expect(try player.messages() == [.leaseEnded(why: "its descriptor was closed", request: 5)])
      #expect(try bench.run { try shown(bench) == 1 })
      try bench.vblank()
    }
  }

  @Test func `the picture of a VM that disconnected during a lease is not shown again`() throws {
    let (bench, clients) = try stage(["web"])
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    clients[0].leave()
    try bench.settle()
    player.leave()
    try bench.settle()
    #expect(bench.output.leaseSteps.last == "dark")
    try bench.vblank()
    try bench.vblank()
    #expect(bench.output.shown?.buffer == nil)
  }

  @Test func `a monitor that is unplugged and plugged in again leaves the lease as it is`() throws {
    let (bench, clients) = try stage(["web"])
    let player = try tool(bench)
    _ = try lease(player)
    try bench.vblank()
    #expect(try player.messages() == [leased])
    bench.output.plug(false)
    try bench.settle()
    bench.output.plug(true)
    try bench.settle()
    #expect(try player.messages() == [])
    player.leave()
    try bench.settle()
    #expect(!clients[0].isEnded)
    clients[0].note(try clients[0].messages())
    try clients[0].makeBuffer(9).fill(9)
    try clients[0].present(9, 9)
    #expect(try bench.run { try shown(bench) == 9 })
  }

  @Test func `a lease that cannot be granted is refused with the remedy`() throws {
    let bench = try Bench([FakeOutput("fake-0"), FakeOutput("fake-1")])
    bench.outputs[0].isLeasable = true
    let player = try tool(bench)
    func refusal(_ output: String) throws -> String? {
      guard case .error(let message, request: 5)? = try lease(player, output).first, message.code == .refused else {
        return nil
      }
      return message.text
    }
    #expect(try refusal("fake-1") == "fake-1 is headless: it has no DRM device to lease")
    #expect(try refusal("DP-9") == "there is no output DP-9; there are: fake-0, fake-1")
    #expect(try lease(player) == [])
    #expect(try refusal("fake-0") == "this client already leases fake-0 or waits for it")
    try bench.server?.apply("[output.fake-1]\nlease = \"off\"")
    #expect(try refusal("fake-1") == "fake-1 cannot be leased: [output.fake-1] has lease = \"off\"")
    var told: [String] = []
    do { try bench.server?.revokeLease(output: "fake-1") } catch { told.append("\(error)") }
    for text in ["[outputs]\nlease = \"1000\"", "[outputs]\nlease = \"uid -1\""] {
      do { try bench.server?.apply(text) } catch { told.append("\(error)") }
    }
    #expect(
      told == [
        "fake-1 is not leased",
        "line 2: lease is off, own, or users and groups such as \"uid 1000, gid 44\", not 1000",
        "line 2: lease is off, own, or users and groups such as \"uid 1000, gid 44\", not uid -1",
      ])
  }

  @Test func `users and groups are allowed by number, and any group of the client counts`() throws {
    func refusal(
      _ setting: String, uid: UInt32, gid: UInt32 = 100, groups: [UInt32] = [], mayControl: Bool = false
    ) throws -> String? {
      try LeasePolicy(setting)
        .objection(
          to: PeerCredentials(pid: 1, uid: uid, gid: gid), mayControl: mayControl, groups: groups, output: "DP-1")
    }
    #expect(try refusal("own", uid: 4242, mayControl: true) == nil)
    // Neither root nor the daemon's user may by the frames socket: backends run as them, too.
    #expect(try refusal("own", uid: 0) != nil)
    #expect(try refusal("own", uid: currentUserID()) != nil)
    #expect(
      try refusal("own", uid: 4242)
        == "user 4242 may not lease DP-1; to permit it, use the control socket, or set in framepathd's configuration "
        + "[output.DP-1] lease = \"uid 4242\"")
    #expect(try refusal("uid 4242", uid: 4242) == nil)
    #expect(try refusal("uid 4242, gid 44", uid: 4243) != nil)
    #expect(try refusal("uid 4242, gid 44", uid: 4243, gid: 44) == nil)
    #expect(try refusal("uid 4242, gid 44", uid: 4243, groups: [7, 44]) == nil)
    #expect(try refusal("off", uid: 0, mayControl: true) != nil)
    #expect(try LeasePolicy("gid 44,uid 1").text == "uid 1, gid 44")
  }

  @Test func `lessees count toward an output's capacity, and a VM beyond it waits until one has gone`()
    throws
  {
    let (bench, clients) = try stage((0..<63).map { "vm\($0)" }, "layout = \"focus\"")
    let player = try tool(bench)
    #expect(try lease(player) == [])
    try bench.vblank()
    #expect(try player.messages() == [leased])

    let late = try bench.client("late")
    #expect(late.outputs[0]?.parked == true)
    let other = try tool(bench, "other")
    guard case .error(let message, request: 5)? = try lease(other).first else {
      Issue.record("a 65th was taken")
      return
    }
    #expect(message.code == .refused && message.text.contains("no room"))
    player.leave()
    _ = try late.messages()
    #expect(late.outputs[0]?.parked == false)
    #expect(clients.allSatisfy { !$0.isEnded })
  }
}
