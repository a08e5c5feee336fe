import LinuxIO
import StatusModel
import Testing

/// The guest library in a real guest, over QEMU's ivshmem devices.
@Suite("Region in a guest", .serialized)
struct RegionTests {
  /// QEMU's two devices.
  enum Device: String, CaseIterable {
    case doorbell
    case plain

    func arguments(_ socket: String) -> [String] {
      switch self {
      case .doorbell:
        ["-chardev", "socket,path=\(socket),id=region", "-device", "ivshmem-doorbell,chardev=region,vectors=1"]
      case .plain:
        [
          "-object", "memory-backend-file,id=region,share=on,mem-path=\(socket).region,size=64M", "-device",
          "ivshmem-plain,memdev=region",
        ]
      }
    }
  }

  @Test(arguments: Device.allCases)
  func `a thousand 1080p frames are shown without a copy, the last one byte for byte`(device: Device) throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket, "--size", "64M"])
    let guest = try boot(host, device.arguments(socket))

    let figures = try guest.run(
      """
      framepath-guest pattern --frames 1000 --hold 60 >/run/figures 2>&1 & \
      while kill -0 $! && ! grep -q ms= /run/figures; do sleep 0.2; done; cat /run/figures
      """, seconds: 180)
    print("lab: ivshmem-\(device): \(figures)")
    #expect(figures.contains("frames=1000 flipped=1000 superseded=0 failed=0 refused=0"))
    let picture = try host.snapshot(vm: "web")
    let wanted = Picture.regionPattern(width: 1920, height: 1080, frame: 1000)
    if let difference = picture.difference(from: wanted) { Issue.record(Comment(rawValue: difference)) }
    let status = try host.framepath(["status", "--json"])
    #expect(status.contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(status.contains(#""path":"direct""#))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a guest with an IOMMU and vfio-pci is woken by the device's interrupt`() throws {
    let host = try LabHost(outputs: ["headless:1280x720@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket])
    let guest = try boot(host, ["-device", "intel-iommu,intremap=on"] + Device.doorbell.arguments(socket))
    try guest.run(
      """
      modprobe vfio-pci && modprobe vfio_iommu_type1 && echo 1af4 1110 >/sys/bus/pci/drivers/vfio-pci/new_id && ls /dev/vfio
      """)
    let figures = try guest.run(
      """
      framepath-guest pattern --frames 120 --hold 30 >/run/figures 2>&1 & \
      while kill -0 $! && ! grep -q ms= /run/figures; do sleep 0.2; done; cat /run/figures; grep vfio-msix /proc/interrupts
      """, seconds: 90)
    print("lab: ivshmem-doorbell by VFIO: \(figures)")
    #expect(figures.contains("frames=120 flipped=120 superseded=0 failed=0 refused=0"))
    let line = try #require(figures.split(separator: "\n").last { $0.contains("vfio-msix") })
    let count = line.split(separator: " ").dropFirst().prefix { Int($0) != nil }.compactMap { Int($0) }.reduce(0, +)
    #expect(count >= 60, "interrupts: some flips are told together")
    try host.expect(vm: "web", shows: .regionPattern(width: 1280, height: 720, frame: 120))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `weston's desktop in a guest is mirrored as captured by QEMU`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket, "--size", "16M"])
    let guest = try boot(host, Device.doorbell.arguments(socket), shape: "virtio", archives: ["weston/weston.cpio"])
    // One program at a time is the card's master.
    try guest.run("kill $(pidof fpdraw); sleep 1; mkdir -p /run/user /var/run /etc/xdg && chmod 700 /run/user")
    let configuration = [
      "[core]", "require-input=false", "idle-time=0", "[shell]", "background-color=0xff336699", "clock-format=none",
      "animation=none", "startup-animation=none", "[input-method]", "path=", "[output]", "name=Virtual-1",
      "mode=1024x768",
    ].joined(separator: "\\n")
    try guest.run(
      "printf '\(configuration)\\n' >/etc/xdg/weston.ini; (SEATD_VTBOUND=0 /usr/sbin/seatd >/run/seatd.log 2>&1 &) ; sleep 1"
    )
    try guest.run(
      """
      (XDG_RUNTIME_DIR=/run/user LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/weston LIBSEAT_BACKEND=seatd SEATD_VTBOUND=0 \
      /usr/bin/weston --backend=drm --renderer=pixman --config=/etc/xdg/weston.ini --log=/run/weston.log >/run/weston.out 2>&1 &)
      until [ -s /run/weston.log ] && grep -q 'Output .Virtual-1. enabled' /run/weston.log; do sleep 0.2; done
      """)
    try guest.run("framepath-guest mirror >/run/mirror 2>&1 & true")
    // The shell draws its panel when it is ready.
    try expectMirrored(host, guest, colours: 5, logs: "/run/weston.log /run/weston.out /run/seatd.log")
    #expect(try host.framepath(["status", "--json"]).contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a guest that is killed in mid-frame leaves the next one a fresh region`() throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket])
    do {
      let guest = try boot(host, Device.doorbell.arguments(socket))
      try guest.send("framepath-guest pattern --frames 0")
      try host.waitForFrames(vm: "web")
      guest.process.kill()
      guest.process.waitForExit()
    }
    let guest = try boot(host, Device.doorbell.arguments(socket))
    let figures = try guest.run("framepath-guest pattern --frames 20", seconds: 60)
    #expect(figures.contains("frames=20 flipped=20 superseded=0 failed=0 refused=0"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test
  func `a client that dies in mid-frame, a second client, and a truncated region cause a clear error or none`()
    throws
  {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket])
    let guest = try boot(host, Device.doorbell.arguments(socket))
    for _ in 0..<5 {
      try guest.run("framepath-guest pattern --frames 0 & sleep 1.3; kill -9 $!; wait $! || true")
      let figures = try guest.run("framepath-guest pattern --frames 10")
      #expect(figures.contains("flipped=10 superseded=0 failed=0 refused=0"))
    }
    try guest.run("framepath-guest pattern --frames 0 >/dev/null 2>&1 & echo $! >/run/first")
    let before = try host.status().scanout(vm: "web").framesFlipped
    try LabHost.wait("the first client") { try host.status().scanout(vm: "web").framesFlipped > before }
    let answer = try guest.run("framepath-guest pattern --frames 1 2>&1; kill $(cat /run/first)")
    #expect(answer.contains("another client on this machine uses the region"))
    // The seals hold for root as well.
    let cut = try ChildProcess.run(ChildCommand("truncate", ["-s", "0", socket + ".region"]))
    #expect(cut.error.contains("Operation not permitted"))
    #expect(try guest.run("framepath-guest pattern --frames 10").contains("flipped=10"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `the C example compiles with gcc without a warning, and shows its pictures through the host's memory`()
    throws
  {
    let host = try LabHost(outputs: ["headless:1280x720@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "box", "--socket-path", socket, "--containers"])
    let program = try CExample.compile(into: host.folder)
    var command = ChildCommand(program, ["120", socket + ".region"])
    command.input = .pipe
    let client = try ChildProcess(command)
    let figures = client.waitForLine(containing: "frames=", from: .output, timeoutMilliseconds: 30_000)
    #expect(figures == "frames=120 flipped=120 superseded=0 failed=0")
    try host.expect(vm: "box", shows: .regionPattern(width: 1280, height: 720, frame: 120))
    #expect(try host.framepath(["status", "--json"]).contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a container that writes garbage over its region costs its neighbour no frame`() throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60", "headless:1280x720@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "box", "--socket-path", socket, "--containers"])
    let program = Lab.program("framepath-guest")
    let bad = try ChildProcess(
      ChildCommand(Lab.program("framepath-bench"), ["garbage", "--socket", socket, "--seconds", "60"]))
    try LabHost.pause(milliseconds: 500)
    let good = try ChildProcess.run(
      ChildCommand(program, ["pattern", "--socket", socket, "--frames", "300", "--still"]), timeoutMilliseconds: 60_000)
    #expect(
      good.output.contains("frames=300 flipped=300 superseded=0 failed=0 refused=0"), "\(good.output)\(good.error)")
    #expect(bad.waitForExit(timeoutMilliseconds: 0) == nil)
    bad.kill()
    bad.waitForExit()
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `garbage from the guest over the whole region harms that guest's frames only`() throws {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket, "--size", "64M"])
    let guest = try boot(host, Device.doorbell.arguments(socket), programs: [Lab.program("framepath-bench")])
    try guest.run("framepath-bench garbage --seconds 60", seconds: 120)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
    let figures = try guest.run("framepath-guest pattern --frames 20", seconds: 60)
    #expect(figures.contains("flipped=20"))
  }

  @Test func `a guest's own screen is mirrored as captured by QEMU`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket, "--size", "16M"])
    let guest = try boot(host, Device.doorbell.arguments(socket), shape: "virtio")
    try guest.run("framepath-guest mirror >/run/mirror 2>&1 & true")
    for seed in 1...3 {
      try guest.draw("pattern noise --size 1024x768 --seed \(seed)")
      var picture = Picture.noise(width: 1024, height: 768, seed: UInt32(seed))
      try expectSoon(picture, host, guest)
      try guest.draw("damage --count 40 --seed 3")
      picture.paintDamage(count: 40, seed: 3)
      try expectSoon(picture, host, guest)
    }
    try expectMirrored(host, guest, colours: 8)
    #expect(try host.framepath(["status", "--json"]).contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `modetest's pattern in a guest is mirrored as captured by QEMU`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "web", "--socket-path", socket, "--size", "16M"])
    let found = try ChildProcess.run(ChildCommand("bash", ["-c", ". \(Lab.script("lib.sh")); echo $LAB_ROOT"])).output
    let program = found.split(separator: "\n").joined() + "/usr/bin/modetest"
    let guest = try boot(host, Device.doorbell.arguments(socket), shape: "virtio", programs: [program])
    try guest.run("framepath-guest mirror >/run/mirror 2>&1 & true")
    // One program at a time is the card's master.
    try guest.run("kill $(pidof fpdraw); sleep 1")
    try guest.run("(sleep 1000 | modetest -M virtio_gpu -s Virtual-1:1024x768) >/run/modetest 2>&1 &")
    try expectMirrored(host, guest, colours: 9)
    print("lab: modetest: \(try guest.run("cat /run/modetest"))")
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a container of another user with nothing but the socket presents at the output's rate, without a copy`()
    throws
  {
    let host = try LabHost(outputs: ["headless:1920x1080@60"])
    let socket = "\(host.folder)/region.sock"
    let backend = try region(host, ["--vm", "box", "--socket-path", socket, "--containers", "--socket-mode", "666"])
    // The program must be where an unknown user may read it.
    let program = "\(host.folder)/framepath-guest"
    for words in [["cp", Lab.program("framepath-guest"), program], ["chmod", "755", host.folder, program]] {
      #expect(try ChildProcess.run(ChildCommand(words[0], Array(words.dropFirst()))).exit.isSuccess)
    }
    let result = try ChildProcess.run(
      ChildCommand(
        "setpriv",
        [
          "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs", "unshare", "--user",
          "--map-user=1000", "--mount", program, "pattern", "--socket", socket, "--frames", "300", "--still",
        ]), timeoutMilliseconds: 60_000)
    #expect(result.exit.isSuccess, Comment(rawValue: result.error))
    print("lab: container: \(result.output)")
    #expect(result.output.contains("frames=300 flipped=300 superseded=0 failed=0 refused=0"))
    #expect(try host.framepath(["status", "--json"]).contains(#""cpuCopies":0,"copiedBytes":0"#))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Waits until the mirror has brought a picture over.
  private func expectSoon(_ wanted: Picture, _ host: LabHost, _ guest: LabGuest) throws {
    let deadline = monotonicNanoseconds() + 30_000_000_000
    while monotonicNanoseconds() < deadline {
      if (try? host.snapshot(vm: "web")) == wanted { return }
      try LabHost.pause(milliseconds: 100)
    }
    let difference = try host.snapshot(vm: "web").difference(from: wanted) ?? "it came late"
    Issue.record("\(difference); the mirror said: \(try guest.run("cat /run/mirror"))")
  }

  /// Waits until the mirror shows QEMU's capture, with at least this many colours: the guest may still be drawing.
  private func expectMirrored(_ host: LabHost, _ guest: LabGuest, colours: Int, logs: String = "") throws {
    let file = "\(host.folder)/judge.png"
    let deadline = monotonicNanoseconds() + 60_000_000_000
    var verdict = ""
    while monotonicNanoseconds() < deadline {
      try guest.qmp("screendump", arguments: #"{"filename":"\#(file)","format":"png"}"#)
      let judge = try Picture(png: file)
      let found = Set(judge.pixels).count
      verdict = (try? host.snapshot(vm: "web").difference(from: judge) ?? "") ?? "no picture"
      print("lab: QEMU sees \(judge.width)x\(judge.height), \(found) colours; the mirror: \(verdict)")
      if judge.width == 1024, judge.height == 768, found >= colours, verdict.isEmpty { return }
      try LabHost.pause(milliseconds: 300)
    }
    Issue.record("the mirror never showed it: \(verdict); \(try guest.run("cat /run/mirror \(logs)"))")
  }

  private func region(_ host: LabHost, _ arguments: [String]) throws -> ChildProcess {
    var command = ChildCommand(Lab.program("framepath-ivshmem"), arguments + ["--daemon", host.socket])
    command.error = .file("\(host.folder)/region.log")
    let backend = try ChildProcess(command)
    try LabHost.wait(for: "\(host.folder)/region.sock")
    return backend
  }

  private func boot(
    _ host: LabHost, _ device: [String], shape: String = "none", programs: [String] = [], archives: [String] = []
  ) throws -> LabGuest {
    let image = "\(host.folder)/guest.cpio"
    let made = try ChildProcess.run(
      ChildCommand(Lab.script("with-programs"), ["stock", image, Lab.program("framepath-guest")] + programs),
      timeoutMilliseconds: 60_000)
    guard made.exit.isSuccess else { throw LabError("no initramfs: \(made.error)") }
    for archive in archives {
      let words = ". \(Lab.script("lib.sh")); cat $LAB_CACHE/\(archive) >>\(image)"
      let added = try ChildProcess.run(ChildCommand("bash", ["-c", words]))
      guard added.exit.isSuccess else { throw LabError("\(archive): \(added.error)") }
    }
    return try LabGuest(
      host: host, vm: "web", shape: .complete,
      arguments: ["--shape", shape, "--memory", "768M", "--", "-initrd", image] + device)
  }
}

extension Picture {
  /// The picture of `framepath-guest pattern`; its source has the formula.
  static func regionPattern(width: Int, height: Int, frame: UInt32) -> Picture {
    Picture(width: width, height: height) { x, y in
      if y < 16 { return frame >> (x * 32 / UInt32(width)) & 1 == 1 ? 0xFF_FFFF : 0 }
      let common = (y &* 0x9E37_79B1 ^ frame &* 0x85EB_CA6B) >> 8
      return (common ^ x &* 0x0001_0203) & 0xFF_FFFF
    }
  }
}
