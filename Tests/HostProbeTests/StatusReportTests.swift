import CommandSupport
import HostProbe
import Testing

@testable import framepath

@Suite("The status")
struct StatusReportTests {
  private let json = """
    {"outputs":[{"name":"headless-0","kind":"headless","width":1920,"height":1080,"refreshMillihertz":59940,"commits":12,
    "missedVblanks":0,"connected":true,"vm":"web"},{"name":"HDMI-A-1","kind":"kms","width":0,"height":0,
    "refreshMillihertz":0,"commits":0,"missedVblanks":0,"connected":false,"vm":""}],"vms":[{"name":"web","pid":4711,"later":true,"scanouts":[{"index":0,"output":"headless-0",
    "width":1280,"height":720,"format":"XRGB8888","path":"copy","pathReason":"the guest is not paced",
    "framesPresented":40,"framesFlipped":30,"framesSuperseded":10,"cpuCopies":50,"copiedBytes":147456000},
    {"index":1,"output":"","width":0,"height":0,"format":"","path":"copy","pathReason":"","framesPresented":0,
    "framesFlipped":0,"framesSuperseded":0,"cpuCopies":0,"copiedBytes":0}]}]}
    """

  @Test func `the status is printed as one table of outputs and one of scanouts`() throws {
    let lines = try StatusReport(json: Array(json.utf8)).lines
    #expect(
      lines == [
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

  @Test func `a status may be empty`() throws {
    #expect(try StatusReport(json: Array(#"{"outputs":[],"vms":[]}"#.utf8)).lines == ["No outputs.", "", "No VMs."])
  }

  @Test func `a reply that is not a status is an error`() {
    #expect(throws: HostProbeError.self) { try StatusReport(json: Array("{}".utf8)) }
    #expect(throws: HostProbeError.self) { try StatusReport(json: []) }
  }

  @Test func `a status cannot send control sequences to the terminal`() {
    #expect(TextTable.printable("a\u{1B}[2Jb\u{9B}\n") == "a?[2Jb??")
  }

  @Test func `numbers in the status have units`() {
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
