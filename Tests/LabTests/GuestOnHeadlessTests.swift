import LinuxIO
import StatusModel
import Testing

/// Unmodified Linux guests in real QEMU, their frames on a headless output.
@Suite("Guest on a headless output", .serialized)
struct GuestOnHeadlessTests {
  @Test(arguments: [
    (LabGuest.Shape.complete, 11), (.vhostUserGPU, 11), (.vhostUserGPU, 10),
  ])
  func `known pictures, partial updates, flips, cursors and other sizes arrive byte for byte`(
    shape: LabGuest.Shape, qemu: Int
  ) throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: shape, qemu: qemu)

    try guest.draw("pattern gradient --size 1024x768")
    try host.expect(vm: "web", shows: .gradient(width: 1024, height: 768))
    try host.expect(output: "headless-0", shows: .gradient(width: 1024, height: 768))

    // Drawing in the buffer on screen, rectangle by rectangle.
    try guest.draw("pattern noise --size 1024x768 --seed 7")
    var picture = Picture.noise(width: 1024, height: 768, seed: 7)
    try guest.draw("damage --count 40 --seed 3")
    picture.paintDamage(count: 40, seed: 3)
    try host.expect(vm: "web", shows: picture)

    // The cursor is part of what a person would see, in no frame of the guest.
    for (words, x, y) in [("cursor --seed 9", 100, 50), ("cursor --move", 1000, 740)] {
      try guest.draw("\(words) --x \(x) --y \(y)")
      var pointed = picture
      pointed.paintCursor(x: x, y: y, seed: 9)
      try host.expect(vm: "web", shows: pointed)
    }
    try guest.draw("cursor --off")
    try host.expect(vm: "web", shows: picture)

    // Page flips: the last one stays.
    try guest.draw("flip --count 60 --interval-ms 5 --start 100 --size 1024x768")
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(159), width: 1024, height: 768))
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == (shape == .complete ? .direct : .copy))
    #expect(scanout.framesPresented == scanout.framesFlipped + scanout.framesSuperseded)

    // Another mode, and one whose rows are not a multiple of 64 bytes.
    for (width, height) in [(800, 600), (1366, 768), (1280, 720)] {
      try guest.draw("pattern noise --size \(width)x\(height) --seed 5")
      try host.expect(vm: "web", shows: .noise(width: width, height: height, seed: 5))
    }
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test(arguments: LabGuest.Shape.allCases)
  func `a full-frame flip costs exactly one copy of its bytes if frames are copied`(shape: LabGuest.Shape)
    throws
  {
    let host = try LabHost(outputs: ["headless:800x600@60"])
    let backend = try host.backend(vm: "web", arguments: shape == .complete ? ["--path", "copy"] : [])
    let guest = try LabGuest(host: host, vm: "web", shape: shape)
    try guest.draw("pattern gradient --size 800x600")
    // The first frames of a mode may be copied once more, on their way into their first host buffers.
    try guest.draw("flip --count 8 --interval-ms 40 --size 800x600")
    let before = try host.status().scanout(vm: "web")

    try guest.draw("flip --count 50 --interval-ms 25 --start 8 --size 800x600")

    let after = try host.status().scanout(vm: "web")
    #expect(after.path == .copy)
    #expect(after.framesPresented - before.framesPresented == 50)
    #expect(after.cpuCopies - before.cpuCopies == 50)
    #expect(after.copiedBytes - before.copiedBytes == 50 * 800 * 600 * 4)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Xorg with its modesetting driver, which draws into the buffer on screen and marks what it has changed.
  @Test func `Xorg's screen is shown`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let backend = try host.backend(vm: "web")
    let image = "\(host.folder)/guest.cpio"
    let words =
      ". \(Lab.script("lib.sh")); cat $LAB_CACHE/initramfs/guest-stock.cpio $LAB_CACHE/xorg/xorg.cpio >\(image)"
    #expect(try ChildProcess.run(ChildCommand("bash", ["-c", words])).exit.isSuccess)
    let guest = try LabGuest(
      host: host, vm: "web", shape: .complete,
      arguments: ["--memory", "512M", "--append", "fp.serve=0", "--", "-initrd", image])
    try guest.run(
      "export PATH=$PATH:/usr/bin:/usr/lib/xorg DISPLAY=:0; mkdir -p /var/log; "
        + "(Xorg :0 vt1 -keeptty -novtswitch -nocursor -noreset >/run/xorg 2>&1 &); "
        + "until xsetroot -solid '#123456' 2>/dev/null; do pidof Xorg >/dev/null || tail /run/xorg; sleep 0.2; done")
    try host.expect(vm: "web", shows: .solid(0x12_3456, width: 1024, height: 768))
    try guest.run("xsetroot -solid '#fedcba'")
    try host.expect(output: "headless-0", shows: .solid(0xFE_DCBA, width: 1024, height: 768))
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == .direct && scanout.copiedBytes == 0)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `modetest's pattern equals the one that QEMU's own device shows`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let draw =
      #"sleep 600 | modetest -M virtio_gpu -s $(modetest -M virtio_gpu -c | awk '$3 == "connected" {print $1; exit}'):1024x768 >/dev/null 2>&1 &"#
    let wanted = try referencePicture(host, arguments: ["--append", "fp.serve=0"]) { try $0.run(draw) }
    for shape in LabGuest.Shape.allCases {
      let backend = try host.backend(vm: shape.rawValue)
      let guest = try LabGuest(host: host, vm: shape.rawValue, shape: shape, arguments: ["--append", "fp.serve=0"])
      try guest.run(draw)
      try host.expect(vm: shape.rawValue, shows: wanted)
      guest.process.kill()
      #expect(backend.waitForExit(timeoutMilliseconds: 5000) == .status(0))
    }
  }

  /// A guest's picture on QEMU's in-process device, captured by QEMU: a reference independent of this project.
  private func referencePicture(
    _ host: LabHost, arguments: [String], draw: (LabGuest) throws -> Void
  ) throws -> Picture {
    let guest = try LabGuest(folder: host.folder, vm: "reference", device: "virtio", arguments: arguments)
    try draw(guest)
    // It is drawn when two photographs are the same picture.
    let file = "\(host.folder)/reference.png"
    var picture = Picture.solid(0, width: 1, height: 1)
    try LabHost.wait("the reference picture") {
      let last = picture
      try LabHost.pause(milliseconds: 500)
      try guest.qmp("screendump", arguments: #"{"filename":"\#(file)","format":"png"}"#)
      picture = try Picture(png: file)
      return picture == last && Set(picture.pixels).count > 8
    }
    return picture
  }
}
