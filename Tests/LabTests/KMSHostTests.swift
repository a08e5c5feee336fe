import LinuxIO
import Testing

/// Starts the lab's KMS VM with each driver, and runs the suites that need a card in it.
@Suite("KMS host", .serialized, .enabled(if: Lab.card == nil))
struct KMSHostTests {
  // Each VM runs all that its card is for: to boot one and to load the tests takes longer than many of them.

  @Test(arguments: ["cirrus"])
  func `outputs keep their promises on a real driver`(card: String) throws {
    let vm = try KMSVM(card: card, suites: #"^OutputTests\."#)
    vm.expectSuccess()
  }

  @Test
  func
    `a card shows VMs, tiles, imported pages, regions and dma-bufs, waits for fences, turns off, and has the console closed`()
    throws
  {
    let suites =
      "DaemonOnCardTests|OverlaysOnCardTests|DirectOnCardTests|RegionOnCardTests|SyncFileOnCardTests|PowerOnCardTests"
      + "|SeatOnCardTests"
    let vm = try KMSVM(card: "vkms:1:writeback", suites: suites)
    vm.expectSuccess()
  }

  @Test func `two heads keep their promises, and are plugged, set, turned off, leased and reassigned while guests run`()
    throws
  {
    let suites = #"^OutputTests\.|HotplugOnCardTests|ModesOnCardTests|LadderOnCardTests|LeaseOnCardTests|ReassignTests"#
    let vm = try KMSVM(card: "vkms:2:writeback", suites: suites)
    vm.expectSuccess()
  }

  @Test func `no torn frame of a paced guest is displayed, and no page of one that was reset, by the kernel's CRCs`()
    throws
  {
    let vm = try KMSVM(
      card: "vkms:1:writeback", suites: "TearOnCardTests|ResetOnCardTests", kernelWords: "video=Virtual-1:160x120@60",
      seconds: 1200)
    vm.expectSuccess()
  }

  @Test(arguments: [("vkms:2:writeback", "new"), ("vkms:1", "stock")])
  func `guests show 3840x2160 on every connector without a copy`(card: String, kernel: String) throws {
    // vkms does not list such a mode; a console of this size would be slow in the emulator.
    let words = "video=Virtual-1:3840x2160@60 video=Virtual-2:3840x2160@60 drm_kms_helper.fbdev_emulation=0"
    let vm = try KMSVM(card: card, kernel: kernel, suites: "FourKOnCardTests", kernelWords: words)
    vm.expectSuccess()
  }

  /// A machine in a machine takes minutes to boot in software, so the guest has booted before.
  @Test func `a guest in QEMU inside the KMS VM is on its screen`() throws {
    let folder = try Lab.temporaryFolder()
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-rf", folder])) }
    try LabGuest.save(folder: folder, to: "\(folder)/state")
    let vm = try KMSVM(
      card: "vkms:1:writeback", suites: "GuestOnCardTests", environment: ["FRAMEPATH_TEST_GUEST=\(folder)/state"],
      seconds: 1800)
    vm.expectSuccess()
  }

  /// bochs refuses a guest's pages in Linux 6.12 and takes them in 7.2; virtio always refuses them, and has timelines.
  @Test(arguments: [
    ("bochs", "new", #"^OutputTests\.|DaemonOnCardTests|LadderOnCardTests"#, 2),
    ("bochs", "stock", "LadderOnCardTests", 1),
    (
      "virtio", "new",
      #"^OutputTests\.|DaemonOnCardTests|LadderOnCardTests|DirectOnCardTests|SyncPointsOnCardTests"#, 2
    ),
  ])
  func `outputs keep their promises on a real driver, and QEMU captures the same picture from outside`(
    card: String, kernel: String, suites: String, photographs: Int
  ) throws {
    let vm = try KMSVM(card: card, kernel: kernel, suites: suites, isPhotographed: true)
    let qmp = try LineChannel(path: "\(vm.folder)/qmp", of: vm.process)
    _ = try qmp.ask(#"{"execute":"qmp_capabilities"}"#) { $0.contains("\"return\"") }
    for number in 1...photographs {
      guard let (width, height) = try vm.nextDrawn() else { break }
      let file = "\(vm.folder)/photograph\(number).png"
      let arguments = #"{"filename":"\#(file)","format":"png","device":"card0"}"#
      _ = try qmp.ask(#"{"execute":"screendump","arguments":\#(arguments)}"#) {
        $0.contains("\"return\"") || $0.contains("\"error\"")
      }
      expectEqual(try Picture(png: file), .noise(width: width, height: height, seed: 11))
      try LinuxFile.replace("\(vm.folder)/photographed", with: [])
    }
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
    card: String, kernel: String = "new", suites: String, isPhotographed: Bool = false, kernelWords: String = "",
    environment: [String] = [], seconds: Int = 600
  ) throws {
    folder = try Lab.temporaryFolder()
    self.seconds = seconds
    var arguments = [
      "--card", card, "--kernel", kernel, "--append", kernelWords, "--out", folder, "--qmp", "\(folder)/qmp",
      "--timeout",
      "\(seconds)",
    ]
    arguments += ["--", "env", "FRAMEPATH_TEST_CARD=/dev/dri/card0", "FRAMEPATH_BIN=\(Lab.programs)"]
    if isPhotographed { arguments.append("FRAMEPATH_TEST_SHARED=\(folder)") }
    arguments += environment
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

  /// Waits until a test in the VM has drawn for the next capture; nil if the VM ended before.
  func nextDrawn() throws -> (width: Int, height: Int)? {
    let deadline = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    while monotonicNanoseconds() < deadline {
      let numbers = (LinuxFile.text("\(folder)/drawn") ?? "").split { !$0.isNumber }.compactMap { Int($0) }
      if let width = numbers.first, let height = numbers.last {
        _ = try ChildProcess.run(ChildCommand("rm", ["\(folder)/drawn"]))
        return (width, height)
      }
      if process.waitForExit(timeoutMilliseconds: 100) != nil { break }
    }
    Issue.record("nothing was drawn for a photograph")
    return nil
  }

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
