import LinuxIO
import StatusModel
import Testing

/// Resets of stock guests that flip frames at that moment: nobody may see what is written into their pages afterwards.
@Suite("Resets of a guest", .serialized, .enabled(if: Lab.card == nil))
struct ResetTests {
  /// How a guest's driver goes away.
  enum Way: String {
    /// The driver is unbound by sysfs, from the device or from its PCI function.
    case unbind
    case unbindPCI
    /// The module is removed.
    case remove
    /// Without a shutdown.
    case reboot
    /// The VMM's reset.
    case reset
    /// Another kernel, without a shutdown.
    case kexec

    var keepsKernel: Bool { self == .unbind || self == .unbindPCI || self == .remove }
  }

  private static let frames: UInt32 = 4000
  /// In no frame of the guest.
  private static let secret: UInt32 = 0xBA_D0BA
  private static let size = "640x480"

  /// Whether it is the colour of a frame that the guest draws.
  @Sendable private static func isFrame(_ pixel: UInt32) -> Bool {
    Picture.frameNumber(pixel).map { $0 < frames } ?? false
  }

  @Test(arguments: [
    (LabGuest.Shape.complete, "new", [String]()), (.vhostUserGPU, "stock", ["--path", "direct"]),
  ])
  func `nobody sees what is written into a guest's pages after its driver has gone`(
    shape: LabGuest.Shape, kernel: String, arguments: [String]
  ) throws {
    #expect(Self.isFrame(Picture.frameColour(0)) && Self.isFrame(Picture.frameColour(Self.frames - 1)))
    #expect(!Self.isFrame(Self.secret) && !Self.isFrame(Picture.frameColour(Self.frames)))
    let host = try LabHost(outputs: ["headless:\(Self.size)@60"])
    let backend = try host.backend(vm: "web", arguments: arguments)
    // Without a console, whose letters would be unknown pictures.
    let guest = try LabGuest(
      host: host, vm: "web", shape: shape,
      arguments: [
        "--kernel", kernel, "--kernels", "--append", "fp.modules=0 drm_kms_helper.fbdev_emulation=0",
      ])
    try guest.qmp("set-action", arguments: #"{"reboot":"reset"}"#)
    let pages = GuestRAMPages(of: guest.process.pid, byteCount: 256 << 20)
    // On a busy machine a guest may draw into black pages on screen: Linux waits 50 ms for a flip.
    let watch = try ScreenWatch(host, output: "headless-0", isKnown: Self.isFrame)
    defer { watch.end() }

    let ways: [Way] = [
      .unbind, .unbindPCI, .unbind, .reboot, .unbind, .remove, .unbindPCI, .kexec, .unbind, .unbindPCI, .reset, .unbind,
      .unbind,
    ]
    for (round, way) in ways.enumerated() {
      try guest.run("modprobe virtio_gpu")
      try guest.startDrawing()
      try startFlips(guest, host)
      let drawn = try pages.uniform(Self.isFrame)
      #expect(drawn.count >= 300, "two pictures of 300 pages")

      try take(way, guest, host)
      let overwritten = try pages.overwrite(drawn, with: Self.secret, where: Self.isFrame)
      try watch.wait(forPictures: 20)
      print(
        "lab: \(shape.rawValue), \(way.rawValue): \(overwritten) of \(drawn.count) pages overwritten; \(watch.seen)")
      // A new kernel has written into the others itself.
      if way.keepsKernel { #expect(overwritten >= 150, "half of a picture") }
      #expect(watch.seen.strange == 0, "after round \(round), \(way.rawValue)")
      if way != .remove {
        #expect(try host.status().scanout(vm: "web").pathReason?.hasPrefix("stopped") == true)
      }
    }
    try guest.run("modprobe virtio_gpu")
    try guest.startDrawing()
    try guest.draw("pattern frame:7 --size \(Self.size)")
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(7), width: 640, height: 480))
    #expect(try host.status().scanout(vm: "web").path == .direct)
    let seen = watch.end()
    #expect(seen.strange == 0)
    #expect(seen.changes >= ways.count * 5, "the pictures moved")
    #expect(!host.log(vm: "web").contains("error"))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Lets the guest flip frames in the background, and waits until some have been shown.
  private func startFlips(_ guest: LabGuest, _ host: LabHost) throws {
    let before = try host.status().scanout(vm: "web").framesFlipped
    try guest.run("(fpdraw flip --count \(Self.frames) --interval-ms 10 --size \(Self.size) >/dev/null 2>&1 &)")
    try LabHost.wait("flips") { try host.status().scanout(vm: "web").framesFlipped >= before + 10 }
  }

  /// Takes the driver away. Afterwards no program has the card any more.
  private func take(_ way: Way, _ guest: LabGuest, _ host: LabHost) throws {
    switch way {
    case .unbind: try guest.unbind()
    case .unbindPCI: try guest.unbind(fromPCI: true)
    // Not in the middle of a flip: a module in use cannot be removed.
    case .remove: try guest.unload()
    case .reboot:
      try restart(guest, host) { try guest.send("reboot -f") }
    case .reset:
      try restart(guest, host) { try guest.qmp("system_reset") }
    case .kexec:
      try restart(guest, host) {
        try guest.send(
          "fpdraw kexec /lab/kernel-old/kernel /lab/initramfs/guest-old.cpio \"$(cat /proc/cmdline)\"")
      }
      #expect(try guest.run("uname -r").hasPrefix("6.1."))
    }
  }

  /// Does what restarts the guest, and waits until it takes commands again.
  private func restart(_ guest: LabGuest, _ host: LabHost, by action: () throws -> Void) throws {
    let starts = {
      (LinuxFile.text("\(host.folder)/web.console") ?? "").split(whereSeparator: \.isNewline)
        .count { $0.contains("%%fp-ready") }
    }
    let before = starts()
    try action()
    try LabHost.wait("the next start of the guest", seconds: 120) { starts() > before }
    try guest.waitUntilReady()
  }
}
