import CDRM
import Glibc
import LinuxIO
import StatusModel
import Testing

/// The console behind the monitors, with the kernel's terminals, keyboards and a login shell's place. Runs inside the lab's
/// KMS VM, started by `KMSHostTests`.
@Suite("Seat on a card", .serialized, .enabled(if: Lab.card != nil))
struct SeatOnCardTests {
  private let text = 1

  init() throws {
    for module in ["uinput", "evdev"] {
      _ = try ChildProcess.run(ChildCommand("/run/lab/busybox", ["modprobe", module]), timeoutMilliseconds: 60_000)
    }
    try VirtualTerminals.show(text)
  }

  private func host(_ options: [String] = []) throws -> LabHost {
    try LabHost(outputs: ["kms:\(try #require(Lab.card))"], options: options)
  }

  @Test func `what is typed while VMs are on screen reaches no shell, changes no console and ends no host`() throws {
    let folder = try Lab.temporaryFolder()
    let shell = try ConsoleReader(terminal: text, folder: folder)
    let keyboard = try UinputKeyboard()
    // The shell hears the keyboard: else nothing that follows would mean anything.
    try keyboard.type(line: "before")
    try shell.wait(forLine: "before")
    // Ctrl+Alt+Del ends this VM at once, and Alt+SysRq+R would give the keyboard to the console again.
    let sharp = "echo 1 >/proc/sys/kernel/ctrl-alt-del && echo 1 >/proc/sys/kernel/sysrq"
    #expect(try ChildProcess.run(ChildCommand("sh", ["-c", sharp])).exit.isSuccess)

    let host = try host()
    let own = try #require(VirtualTerminals.active)
    #expect(own != text)
    try keyboard.type(line: "root")
    try keyboard.type(line: "secret")
    try keyboard.tap([.leftAlt, .f2])
    try keyboard.tap([.leftControl, .leftAlt, .delete])
    try keyboard.tap([.leftAlt, .sysRq, .r])
    // One that is plugged in now types before anybody can have looked at it.
    let late = try UinputKeyboard(name: "Late keyboard")
    for _ in 0..<20 { try late.type(line: "late") }
    try late.tap([.leftAlt, .f2])
    #expect(try host.status().outputs.first?.connected == true)
    #expect(VirtualTerminals.active == own)

    #expect(host.stop() == .status(0))
    try LabHost.wait("the shell's terminal") { VirtualTerminals.active == text }
    try keyboard.type(line: "after")
    try shell.wait(forLine: "after")
    try late.type(line: "late again")
    try shell.wait(forLine: "late again")
    #expect(shell.lines == ["before", "after", "late again"])
  }

  @Test func `a daemon that is killed leaves a console that can be used, and its successor closes it again`() throws {
    let folder = try Lab.temporaryFolder()
    let shell = try ConsoleReader(terminal: text, folder: folder)
    let keyboard = try UinputKeyboard()
    let host = try host()
    for round in 0..<3 {
      try keyboard.type(line: "secret")
      host.killDaemon()
      try LabHost.wait("the shell's terminal") { VirtualTerminals.active == text }
      try keyboard.type(line: round % 2 == 0 ? "even" : "odd")
      try shell.wait(forLine: round % 2 == 0 ? "even" : "odd")
      try host.restartDaemon()
    }
    #expect(shell.lines == ["even", "odd", "even"])
  }

  @Test func `a console that is not given back, because that process was killed too, is reset by the doctor`() throws {
    let folder = try Lab.temporaryFolder()
    let shell = try ConsoleReader(terminal: text, folder: folder)
    let keyboard = try UinputKeyboard()
    let host = try host()
    let own = try #require(VirtualTerminals.active)
    let doctor = ChildCommand(Lab.program("framepath"), ["doctor", "--reset-console"])
    #expect(try ChildProcess.run(doctor).output.isEmpty, "it leaves the terminal of a running daemon alone")
    for opener in FileOpener.all(of: "/dev/tty\(own)") where opener.pid != host.daemonPID {
      _ = try ChildProcess.run(ChildCommand("kill", ["-9", "\(opener.pid)"]))
    }
    try LabHost.wait("the daemon's warning") { host.daemonLog.contains("use framepath doctor --reset-console") }
    host.killDaemon()
    try keyboard.tap([.leftAlt, .f1])
    #expect(VirtualTerminals.active == own)

    #expect(try ChildProcess.run(doctor).output == "tty\(own) has text and a keyboard again\n")
    try keyboard.tap([.leftAlt, .f1])
    try LabHost.wait("the shell's terminal") { VirtualTerminals.active == text }
    try keyboard.type(line: "heard")
    try shell.wait(forLine: "heard")
    #expect(shell.lines == ["heard"])
  }

  @Test func `with no seat the log says on every start where keys go, and that is so`() throws {
    let folder = try Lab.temporaryFolder()
    let shell = try ConsoleReader(terminal: text, folder: folder)
    let keyboard = try UinputKeyboard()
    let host = try host(["--seat", "none"])
    #expect(host.daemonLog.contains("warning: --seat none: what is typed"))
    try keyboard.type(line: "heard")
    try shell.wait(forLine: "heard")
  }

  @Test func `while another console is shown, card and keyboard are others', and then everything is back`() throws {
    let folder = try Lab.temporaryFolder()
    let other = try ConsoleReader(terminal: 2, folder: folder)
    let keyboard = try UinputKeyboard()
    let host = try host()
    let own = try #require(VirtualTerminals.active)
    let output = try #require(try host.status().outputs.first)
    let painter = try Painter(host: host, name: "painter")
    func show(_ seed: UInt32) throws -> Picture {
      let picture = Picture.noise(width: output.width, height: output.height, seed: seed)
      let buffer = try painter.nextBuffer(width: output.width, height: output.height)
      painter.draw(picture, in: buffer)
      try painter.show(buffer)
      return picture
    }
    try host.expect(output: output.name, shows: try show(1))

    for round in UInt32(1)...3 {
      try VirtualTerminals.show(2)
      #expect(VirtualTerminals.active == 2)
      try keyboard.type(line: "for the other")
      try other.wait(forLine: "for the other")
      try beMaster(of: try #require(Lab.card))
      // The VM continues: its frames are answered, and its monitor is still there.
      let before = try host.status().scanout(vm: "painter")
      for seed in 0..<5 as Range<UInt32> { _ = try show(100 * round + seed) }
      let after = try host.status().scanout(vm: "painter")
      #expect(after.framesPresented == before.framesPresented + 5)
      #expect(after.output == output.name)

      try VirtualTerminals.show(own)
      try keyboard.type(line: "for nobody")
      try host.expect(output: output.name, shows: try show(100 * round + 50))
    }
    #expect(other.lines == ["for the other", "for the other", "for the other"])
    #expect(host.stop() == .status(0))
  }

  /// What another compositor does on its console: it becomes the card's master, and turns the CRTC off.
  private func beMaster(of card: String) throws {
    let device = try OwnedFD.open(card, flags: O_RDWR)
    let raw = device.raw
    #expect(drmSetMaster(raw) == 0)
    guard let resources = drmModeGetResources(raw) else { throw LabError("no resources of \(card)") }
    defer { drmModeFreeResources(resources) }
    for index in 0..<Int(resources.pointee.count_crtcs) {
      #expect(drmModeSetCrtc(raw, resources.pointee.crtcs[index], 0, 0, 0, nil, 0, nil) == 0)
    }
    #expect(drmDropMaster(raw) == 0)
  }
}
