import LinuxIO
import StatusModel
import Testing

/// Events in a VM's life: pauses, reboots, ends, neighbours, and a daemon that dies.
@Suite("A guest's life", .serialized)
struct GuestLifeTests {
  @Test(arguments: LabGuest.Shape.allCases)
  func `a paused guest keeps its picture, and continues drawing when it resumes`(shape: LabGuest.Shape) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: shape)
    try guest.draw("pattern noise --size 640x480 --seed 1")
    for seed in UInt32(2)...4 {
      try guest.qmp("stop")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed - 1))
      try guest.qmp("cont")
      try guest.draw("pattern noise --size 640x480 --seed \(seed)")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed))
    }

    // A pause in the middle of flips must not lose an answer: the guest would wait for ever.
    try guest.run("fpdraw flip --count 200 --interval-ms 5 --size 640x480 >/tmp/flips 2>&1 &")
    for _ in 0..<4 {
      try LabHost.pause(milliseconds: 150)
      try guest.qmp("stop")
      try guest.qmp("cont")
    }
    #expect(
      try guest.run("until grep -qE '^(ok|error)' /tmp/flips; do sleep 0.1; done; tail -n 1 /tmp/flips").hasPrefix("ok")
    )
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(199), width: 640, height: 480))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// `ResetTests` has the other QEMU and its devices.
  @Test func `a guest that reboots on QEMU 10 finds an empty device`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .vhostUserGPU, qemu: 10)
    try guest.draw("pattern noise --size 640x480 --seed 1")
    try guest.qmp("set-action", arguments: #"{"reboot":"reset"}"#)
    for seed in UInt32(2)...3 {
      try guest.qmp("system_reset")
      try LabHost.pause(milliseconds: 500)
      try guest.waitUntilReady()
      try guest.draw("pattern noise --size 640x480 --seed \(seed)")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed))
    }
    #expect(!host.log(vm: "web").contains("error"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `two VMs have an output each, and the end of one does not affect the other's`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60", "headless:800x600@60"])
    let backends = [try host.backend(vm: "one"), try host.backend(vm: "two")]
    let one = try LabGuest(host: host, vm: "one", shape: .complete)
    let two = try LabGuest(host: host, vm: "two", shape: .vhostUserGPU)
    try one.draw("pattern noise --seed 1")
    try two.draw("pattern gradient")
    try host.expect(vm: "one", shows: .noise(width: 640, height: 480, seed: 1))
    try host.expect(vm: "two", shows: .gradient(width: 800, height: 600))
    #expect(try host.status().vms.map(\.name).sorted() == ["one", "two"])

    one.process.kill()

    #expect(backends[0].waitForExit(timeoutMilliseconds: 5000) == .status(0))
    #expect(backends[1].waitForExit(timeoutMilliseconds: 0) == nil)
    try host.expect(vm: "two", shows: .gradient(width: 800, height: 600))
    try two.draw("pattern noise --seed 6")
    try host.expect(vm: "two", shows: .noise(width: 800, height: 600, seed: 6))
    #expect(try host.status().vms.map(\.name) == ["two"])
  }

  @Test(arguments: LabGuest.Shape.allCases)
  func `a daemon that was killed shows every VM's picture again`(shape: LabGuest.Shape) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: shape)
    try guest.draw("pattern noise --size 640x480 --seed 1")
    for seed in UInt32(2)...5 {
      try host.restartDaemon()
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed - 1))
      try guest.draw("pattern noise --size 640x480 --seed \(seed)")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed))
    }
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Linux has no code that sets the queues up again, but 6.12 and 7.2 leave a device alone that keeps its state
  /// (No_Soft_Reset). `pm_test` suspends all devices and resumes them; the machine itself does not sleep.
  @Test(arguments: [(LabGuest.Shape.complete, "stock"), (.vhostUserGPU, "new")])
  func `a guest shows frames after a suspend if its device keeps its state`(
    shape: LabGuest.Shape, kernel: String
  ) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(
      host: host, vm: "web", shape: shape,
      arguments: [
        "--kernel", kernel, "--port", "--device", "x-pcie-pm-no-soft-reset=on", "--append", "suspend.pm_test_delay=1",
      ])
    for seed in UInt32(1)...2 {
      try guest.draw("pattern noise --size 640x480 --seed \(seed)")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed))
      try guest.run("echo devices >/sys/power/pm_test; echo mem >/sys/power/state")
    }
    try guest.draw("flip --count 30 --interval-ms 20 --size 640x480")
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(29), width: 640, height: 480))
    #expect(try guest.run("dmesg").contains("suspend exit"))
    #expect(!host.log(vm: "web").contains("error"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Not on the complete device: OVMF drives it, but puts its text only on devices of PCI's display class.
  /// Of Debian 13 and 12.
  @Test(arguments: ["--ovmf", "--ovmf-old"])
  func `OVMF shows its screen`(firmware: String) throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let backend = try host.backend(vm: "firmware")
    let guest = try LabGuest(host: host, vm: "firmware", shape: .vhostUserGPU, arguments: [firmware])
    // Its text appears within seconds: background, letters and highlights. A blank screen has one colour.
    var colours = Set<UInt32>()
    for _ in 0..<120 where colours.count < 3 {
      try LabHost.pause(milliseconds: 500)
      if let picture = try? host.snapshot(vm: "firmware") { colours = Set(picture.pixels) }
    }
    #expect(colours.count >= 3)
    #expect(try host.status().scanout(vm: "firmware").framesFlipped > 0)
    #expect(guest.process.waitForExit(timeoutMilliseconds: 0) == nil)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }
}
