import CommandSupport
import StatusModel
import Testing

@testable import framepath

@Suite("Tables of a status")
struct StatusTablesTests {
  @Test func `a status is a table of outputs and one of scanouts`() {
    let status = DaemonStatus.sample(
      outputs: [
        .sample("headless-0", width: 1920, height: 1080, refreshMillihertz: 59_940, commits: 12, vm: "web"),
        .sample("HDMI-A-1", kind: .kms, connected: false),
      ],
      vms: [
        .sample(
          "web", pid: 4711,
          scanouts: [
            .sample(
              output: "headless-0", size: (1280, 720), reason: "the guest is not paced", presented: 40, flipped: 30,
              superseded: 10, copies: 50, copiedBytes: 147_456_000), .sample(1, output: nil, size: nil),
          ])
      ])
    #expect(
      StatusTables(status).lines == [
        "OUTPUT      KIND      MODE             COMMITS  MISSED  VM",
        "headless-0  headless  1920x1080@59.94       12       0  web",
        "HDMI-A-1    kms       no monitor             0       0  -",
        "",
        "VM    PID  HEAD  OUTPUT      SIZE      FORMAT    PATH  PRESENTED  FLIPPED  SUPERSEDED  COPIES/FRAME     COPIED",
        "web  4711     0  headless-0  1280x720  XRGB8888  copy         40       30          10          1.25  140.6 MiB",
        "    the guest is not paced",
        "              1  -           off       -         copy          0        0           0             -        0 B",
      ])
  }

  @Test func `an output that is off or leased is marked`() {
    let lessee = DaemonStatus.Output.Lessee(
      name: "player", pid: 9, uid: 0, lesseeID: 1, sinceNanoseconds: 2_000_000_000)
    var status = DaemonStatus.sample(at: 65, outputs: [.sample("A", power: .off, lessee: lessee)])
    #expect(StatusTables(status).lines[1] == "A       headless  64x48@60.00 off        0       0  -")
    #expect(StatusTables(status).lines[2] == "    leased to player (process 9) for 63 s")
    status.nowNanoseconds = 0
    #expect(StatusTables(status).lines[2].hasSuffix(" for 0 s"))
  }

  @Test func `a status without outputs and VMs is stated`() {
    #expect(StatusTables(.sample()).lines == ["No outputs.", "", "No VMs."])
  }

  @Test func `control characters in a table's texts are replaced`() {
    #expect(TextTable.printable("a\u{1B}[2Jb\u{9B}\n") == "a?[2Jb??")
  }

  @Test func `numbers have units and a fixed number of decimals`() {
    #expect(TextTable.bytes(1023) == "1023 B")
    #expect(TextTable.bytes(1024) == "1.0 KiB")
    #expect(TextTable.bytes(1 << 20) == "1.0 MiB")
    #expect(TextTable.bytes((1 << 30) - 1) == "1.0 GiB")
    #expect(TextTable.bytes(UInt64.max) == "16777216.0 TiB")
    #expect(TextTable.fixed(59.999, decimals: 2) == "60.00")
    #expect(TextTable.fixed(0.05, decimals: 2) == "0.05")
    #expect(TextTable.fixed(-1.5, decimals: 1) == "-1.5")
    #expect(TextTable.fixed(.infinity, decimals: 1) == "-")
  }
}
