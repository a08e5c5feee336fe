import LinuxIO
import Testing

/// Starts the lab's KMS VM with each driver, and runs there what needs a card.
@Suite("KMS host", .serialized, .enabled(if: Lab.card == nil))
struct KMSHostTests {
  @Test(
    "outputs keep their promises on a real driver", arguments: ["vkms:2:writeback", "bochs", "virtio", "cirrus"])
  func conformance(card: String) throws {
    let vm = try KMSVM(card: card, suites: #"^OutputTests\."#)
    vm.expectSuccess()
  }

  @Test("the daemon shows frames on a card, and nothing is left behind", arguments: ["vkms:1:writeback"])
  func daemonOnVKMS(card: String) throws {
    let vm = try KMSVM(card: card, suites: "DaemonOnCardTests|OverlaysOnCardTests")
    vm.expectSuccess()
  }

  @Test(
    "a client's own pages are on a card's screen, or refused with a reason",
    arguments: ["vkms:1:writeback", "virtio"])
  func directOnCards(card: String) throws {
    let vm = try KMSVM(card: card, suites: "DirectOnCardTests")
    vm.expectSuccess()
  }

  @Test(
    "a region's slots and a client's dma-bufs are on a card's screen, and its fences waited for",
    arguments: ["vkms:1:writeback"])
  func regionOnCards(card: String) throws {
    let vm = try KMSVM(card: card, suites: "RegionOnCardTests|SyncFileOnCardTests")
    vm.expectSuccess()
  }

  @Test("a client's timelines are waited for and signalled", arguments: ["virtio"])
  func timelines(card: String) throws {
    let vm = try KMSVM(card: card, suites: "SyncPointsOnCardTests")
    vm.expectSuccess()
  }

  @Test("no frame of a guest that waits for its screen is displayed torn, as the kernel sees it")
  func tearing() throws {
    let vm = try KMSVM(card: "vkms:1:writeback", suites: "TearOnCardTests", kernelWords: "video=Virtual-1:160x120@60")
    vm.expectSuccess()
  }

  @Test("monitors are plugged and unplugged while guests run, and guests set modes and turn them off")
  func hotplug() throws {
    let vm = try KMSVM(card: "vkms:2:writeback", suites: "HotplugOnCardTests|ModesOnCardTests|LadderOnCardTests")
    vm.expectSuccess()
  }

  @Test("an output is leased to another program and taken back from it, and a screen goes from VM to VM")
  func leases() throws {
    let vm = try KMSVM(card: "vkms:2:writeback", suites: "LeaseOnCardTests|ReassignTests")
    vm.expectSuccess()
  }

  @Test(
    "guests show 3840x2160 on every connector without a copy",
    arguments: [("vkms:2:writeback", "new"), ("vkms:1", "stock")])
  func fourK(card: String, kernel: String) throws {
    // vkms has no such mode of its own; a console of that size would take the emulator long.
    let words = "video=Virtual-1:3840x2160@60 video=Virtual-2:3840x2160@60 drm_kms_helper.fbdev_emulation=0"
    let vm = try KMSVM(card: card, kernel: kernel, suites: "FourKOnCardTests", kernelWords: words)
    vm.expectSuccess()
  }

  /// A machine in a machine takes minutes in software.
  @Test("a guest in QEMU inside the KMS VM is on its screen")
  func allAtOnce() throws {
    let vm = try KMSVM(card: "vkms:1:writeback", suites: "GuestOnCardTests", seconds: 1800)
    vm.expectSuccess()
  }

  /// bochs refuses a guest's pages in Linux 6.12 and takes them in 7.2; virtio always refuses them.
  @Test(
    "QEMU photographs from outside what the daemon shows",
    arguments: [
      ("bochs", "new", "DaemonOnCardTests"), ("virtio", "new", "DaemonOnCardTests"),
      ("bochs", "new", "LadderOnCardTests"), ("bochs", "stock", "LadderOnCardTests"),
      ("virtio", "new", "LadderOnCardTests"),
    ])
  func photographed(card: String, kernel: String, suites: String) throws {
    let vm = try KMSVM(card: card, kernel: kernel, suites: suites, photographs: true)
    try LabHost.wait(for: "\(vm.folder)/drawn", seconds: 240)
    let size = try ChildProcess.run(ChildCommand("cat", ["\(vm.folder)/drawn"])).output.split { !$0.isNumber }
    let width = try #require(size.first.flatMap { Int($0) })
    let height = try #require(size.last.flatMap { Int($0) })

    let file = "\(vm.folder)/photograph.png"
    let qmp = try LineChannel(path: "\(vm.folder)/qmp", of: vm.process)
    _ = try qmp.ask(#"{"execute":"qmp_capabilities"}"#) { $0.contains("\"return\"") }
    _ = try qmp.ask(#"{"execute":"screendump","arguments":{"filename":"\#(file)","format":"png","device":"card0"}}"#) {
      $0.contains("\"return\"") || $0.contains("\"error\"")
    }
    expectEqual(try Picture(png: file), .noise(width: width, height: height, seed: 11))
    _ = try ChildProcess.run(ChildCommand("touch", ["\(vm.folder)/photographed"]))
    vm.expectSuccess()
  }

  private func expectEqual(_ found: Picture, _ wanted: Picture, _ location: SourceLocation = #_sourceLocation) {
    if let difference = found.difference(from: wanted) {
      Issue.record(Comment(rawValue: difference), sourceLocation: location)
    }
  }
}

/// The KMS VM, running some of this very test program's suites.
private final class KMSVM {
  let folder: String
  let process: ChildProcess

  /// - Parameters:
  ///   - kernel: `new` or `stock`, as `kms-vm` has them.
  ///   - kernelWords: for the kernel's command line.
  init(
    card: String, kernel: String = "new", suites: String, photographs: Bool = false, kernelWords: String = "",
    seconds: Int = 600
  ) throws {
    folder = try Lab.temporaryFolder()
    self.seconds = seconds
    var arguments = [
      "--card", card, "--kernel", kernel, "--append", kernelWords, "--out", folder, "--qmp", "\(folder)/qmp",
      "--timeout",
      "\(seconds)",
    ]
    arguments += ["--", "env", "FRAMEPATH_TEST_CARD=/dev/dri/card0", "FRAMEPATH_BIN=\(Lab.programs)"]
    if photographs { arguments.append("FRAMEPATH_TEST_SHARED=\(folder)") }
    arguments += [CommandLine.arguments[0], "--testing-library", "swift-testing", "--no-parallel", "--filter", suites]
    var command = ChildCommand(Lab.script("kms-vm"), arguments)
    command.leadsGroup = true
    command.output = .file("\(folder)/output")
    command.error = .file("\(folder)/output")
    process = try ChildProcess(command)
  }

  deinit {
    process.kill()
    process.waitForExit()
    _ = try? ChildProcess.run(ChildCommand("rm", ["-rf", folder]))
  }

  private let seconds: Int

  /// Expects that every test in the VM passed, and that there was at least one.
  func expectSuccess(_ location: SourceLocation = #_sourceLocation) {
    let exit = process.waitForExit(timeoutMilliseconds: (seconds + 60) * 1000)
    let output = (try? ChildProcess.run(ChildCommand("cat", ["\(folder)/output"])).output) ?? ""
    let lines = output.split(separator: "\n")
    print("lab: \(lines.first { $0.contains("up after") } ?? "the VM did not come up")")
    for line in lines where line.hasPrefix("lab: ") { print("\(line) (in the VM)") }
    print("lab: \(lines.last { $0.contains("Test run with") } ?? "no test ran in the VM")")
    let ran = lines.contains { $0.contains("Test run with") && $0.contains("passed") && !$0.contains("with 0 tests") }
    if exit?.isSuccess != true || !ran { Issue.record(Comment(rawValue: output), sourceLocation: location) }
  }
}
