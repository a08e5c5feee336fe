import LinuxIO
import Testing

@testable import FramepathBench
@testable import framepath_bench

/// `bench guest` without a guest; LabTests run it with real ones.
struct GuestBenchTests {
  @Test func `a missing lab is reported with the remedy`() {
    var bench = GuestBench(.besideThisProgram())
    bench.lab = "/nonexistent"
    let error = #expect(throws: BenchError.self) { _ = try bench.run() }
    #expect(error?.description.contains("make lab") == true)
  }

  @Test func `a setup that does not start reports the reason, and the others continue`() throws {
    let folder = try TemporaryFolder(prefix: "framepath-nolab")
    try LinuxFile.replace("\(folder.path)/guest", with: Array("#!/bin/sh\necho no such kernel >&2\nexit 125\n".utf8))
    _ = try ChildProcess.run(ChildCommand("/bin/chmod", ["755", "\(folder.path)/guest"]))
    var bench = GuestBench(.besideThisProgram())
    bench.lab = folder.path
    bench.setups = [.none, .vnc]
    bench.sizes = [(640, 480)]
    let figures = try #require(try bench.run().sizes.first).setups
    #expect(figures.map(\.missing) == Array(repeating: "QEMU has ended with exit status 125: no such kernel", count: 2))
  }

  @Test func `CPU time is reported per flip and per picture that reached a screen`() {
    var figures = GuestReport.Run()
    figures.qemuMicroseconds = 300
    figures.guestMicroseconds = 600
    figures.helpers = [GuestReport.Helper(name: "viewer", microseconds: 100)]
    #expect(figures.hostMicroseconds == 400)
    #expect(figures.allMicrosecondsPerDisplayed(frames: 60) == nil)
    figures.displayed = 30
    #expect(figures.allMicrosecondsPerDisplayed(frames: 60) == 2000)
  }

  @Test func `each front door gets its own device and processes`() {
    let plan = { (setup: GuestBench.Setup) in GuestPlan(setup, folder: "/f", width: 64, height: 48) }
    for setup in GuestBench.Setup.allCases {
      #expect(plan(setup).arguments.starts(with: ["--control", "/f/control", "--shape"]))
    }
    #expect(plan(.dbus).arguments.contains("dbus") && !plan(.dbus).hasBackend)
    #expect(plan(.peer).hasBackend && !plan(.peer).needsDaemon)
    #expect(plan(.ourComplete).arguments.suffix(4) == ["--shape", "complete", "--vm-socket", "/f/vm.sock"])
    #expect(plan(.ourIvshmem).needsDaemon)
    #expect(plan(.ourIvshmem).arguments.suffix(2) == ["-device", "ivshmem-doorbell,chardev=region,vectors=1"])
    #expect(plan(.ourIvshmem).draw(20) == "framepath-guest pattern --still --frames 20 --size 64x48")
    #expect(plan(.ourIvshmem).framesPerSecond("frames=20 flipped=20 fps=59.5 ms=336\n") == 59.5)
    #expect(plan(.none).framesPerSecond("ok flip count 20") == nil)
  }

  @Test(arguments: ["kvm", "tcg"])
  func `the guest uses the accelerator chosen by the lab's probe`(accelerator: String) throws {
    let parts = "\(#filePath)".split(separator: "/", omittingEmptySubsequences: false)
    let lab = parts.dropLast(2).joined(separator: "/") + "/Lab"
    let cache =
      environmentVariable("FRAMEPATH_LAB_CACHE") ?? "\(environmentVariable("HOME") ?? "/root")/.cache/framepath-lab"
    // Without `make lab` there is no guest.
    guard LinuxFile.status("\(cache)/complete") != nil else { return }
    var command = ChildCommand("\(lab)/guest", ["--shape", "none", "--print"])
    command.addedEnvironment = ["FRAMEPATH_LAB_ACCEL": accelerator]
    let printed = try ChildProcess.run(command, timeoutMilliseconds: 20_000)
    #expect(GuestPlan.accelerator(ofPrintedCommand: printed.output) == accelerator)
    #expect(printed.output.contains(accelerator == "kvm" ? "-cpu\nhost\n" : "-cpu\nmax,"))
    #expect(GuestPlan.accelerator(ofPrintedCommand: "") == "unknown")
  }

  @Test func `a D-Bus message is read as it was written`() throws {
    var call = DBusMessage(call: "RegisterListener", of: "org.qemu.Display1.Console", at: "/a/b", serial: 7)
    call.signature = "h"
    call.descriptorCount = 1
    call.body = [1, 2, 3, 4]
    let bytes = call.encoded
    #expect(DBusMessage.byteCount(bytes[...]) == bytes.count)
    let read = try #require(DBusMessage(bytes))
    #expect((read.kind, read.serial, read.member, read.path) == (.call, 7, "RegisterListener", "/a/b"))
    #expect((read.signature, read.descriptorCount, read.body) == ("h", 1, [1, 2, 3, 4]))
    let reply = try #require(DBusMessage(DBusMessage(replyTo: read, serial: 9).encoded))
    #expect((reply.kind, reply.replySerial, reply.body) == (.reply, 7, []))
    // A truncated message is invalid.
    for count in 0..<bytes.count { #expect(DBusMessage(Array(bytes[..<count])) == nil) }
    #expect(DBusMessage.byteCount([UInt8](repeating: 0xFF, count: 16)[...]) == nil)
  }

  @Test func `the report as text has the median and the spread of every run`() throws {
    var figures = GuestReport.Figures(setup: .ourComplete, missing: nil)
    for displayed: UInt64 in [38, 40, 40] {
      var run = GuestReport.Run()
      run.displayed = displayed
      run.qemuMicroseconds = Double(displayed) * 10
      figures.runs.append(run)
    }
    let report = GuestReport(
      frames: 40, accelerator: "tcg", machine: .now(),
      sizes: [GuestReport.Size(width: 64, height: 48, setups: [figures])])
    let line = try #require(BenchGuestCommand.lines(report).first { $0.hasPrefix("framepath-complete") })
    #expect(line.contains(" 40 (38…40) ") && line.contains(" 400 (380…400) "))
  }
}
