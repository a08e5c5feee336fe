import LinuxIO
import StatusModel
import Testing

/// Each path of a guest's frames, forced on a real DRM driver: the path, the reason why a better one is unavailable,
/// and every pixel. Runs inside the lab's KMS VM, started by `KMSHostTests`.
@Suite("Import ladder on a card", .serialized, .enabled(if: Lab.card != nil))
struct LadderOnCardTests {
  private static let driver = environmentVariable("FRAMEPATH_LAB_CARD") ?? ""
  private static let kernel = LinuxFile.text("/proc/sys/kernel/osrelease") ?? ""
  /// virtio-gpu does not import memory; bochs does not in Linux 6.12, and copies from it into its own in 7.2.
  private static let takesPages = driver == "vkms" || driver == "bochs" && !kernel.hasPrefix("6.12.")
  /// The reason for a driver that does not import pages.
  private static let refusal = driver == "virtio" ? "virtio_gpu cannot import" : "bochs-drm cannot import"

  @Test func `a driver shows the guest's pages, or they are copied once and the reason names the driver`() throws {
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1"])
    let output = try #require(try host.status().outputs.first)
    let guest = try CardGuest(
      host: host, vm: "web", width: output.width, height: output.height, pieceBytes: 1 << 18)
    for grey in UInt8(1)...10 { try guest.flip(grey: grey) }
    let picture = Picture.noise(width: output.width, height: output.height, seed: 11)
    try guest.flip(picture)
    try host.expect(output: output.name, shows: picture)
    try host.expect(vm: "web", shows: picture)
    let scanout = try host.status().scanout(vm: "web")
    print("lab: \(Self.driver) of \(Self.kernel): \(scanout.path) \(scanout.pathReason ?? "")")
    expectRung(scanout, frames: 11, LadderOnCardTests.takesPages ? nil : LadderOnCardTests.refusal)
    try Lab.waitForPhotograph(width: output.width, height: output.height)
    guest.end()
  }

  @Test func `rows of 5464 bytes, not a multiple of 64, are shown or copied`() throws {
    // bochs and virtio-gpu have no such mode: there a part of such rows is shown.
    let modes = try ChildProcess.run(ChildCommand("cat", ["/sys/class/drm/card0-Virtual-1/modes"])).output
    let (width, height) = modes.split(separator: "\n").contains("1366x768") ? (1366, 768) : (640, 480)
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:\(width)x\(height)"])
    let guest = try CardGuest(
      host: host, vm: "web", width: width, height: height, framebuffer: (1366, 768), pieceBytes: 1 << 18)
    try guest.flip(grey: 1)
    let picture = Picture.noise(width: width, height: height, seed: 5)
    try guest.flip(picture)
    try host.expect(output: "Virtual-1", shows: picture)
    expectRung(
      try host.status().scanout(vm: "web"), frames: 2, LadderOnCardTests.takesPages ? nil : LadderOnCardTests.refusal)
    guest.end()
  }

  @Test(.enabled(if: takesPages))
  func `more pieces than list_limit are copied until the limit is raised and the guest has other buffers`() throws {
    try set("list_limit", "8")
    defer { try? set("list_limit", "1024") }
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    // 1 228 800 bytes in 19 pieces.
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480, pieceBytes: 1 << 16)
    let reason = "19 ranges of memory exceed udmabuf's list_limit of 8"
    try expectFall(host, guest, reason) { try set("list_limit", "1024") }
    guest.end()
  }

  @Test(.enabled(if: takesPages))
  func `a frame buffer of more than 64 MiB is copied, and only what is shown of it`() throws {
    try set("size_limit_mb", "64")
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480, framebuffer: (8192, 2100))
    defer { try? set("size_limit_mb", "64") }
    try expectFall(host, guest, "68812800 bytes exceed udmabuf's size_limit_mb of 64") {
      try set("size_limit_mb", "128")
    }
    guest.end()
  }

  @Test(.enabled(if: takesPages))
  func `a host without /dev/udmabuf copies, and the reason names the missing kernel option`() throws {
    try run("mv /dev/udmabuf /dev/udmabuf.away")
    defer { try? run("[ -e /dev/udmabuf ] || mv /dev/udmabuf.away /dev/udmabuf") }
    let host = try LabHost(outputs: ["kms:\(try #require(Lab.card)):Virtual-1:640x480"])
    let guest = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    let reason = "/dev/udmabuf is missing: the kernel lacks CONFIG_UDMABUF, or its module is not loaded"
    try expectFall(host, guest, reason) { try run("mv /dev/udmabuf.away /dev/udmabuf") }
    guest.end()
  }

  @Test(.enabled(if: takesPages))
  func `doctor shows how to raise a limit, and the effect`() throws {
    try set("list_limit", "8")
    try set("size_limit_mb", "16")
    defer {
      try? set("list_limit", "1024")
      try? set("size_limit_mb", "64")
    }
    // It finds problems in a VM without QEMU: only its output matters here.
    let result = try ChildProcess.run(
      ChildCommand(Lab.program("framepath"), ["doctor", "--json"]), timeoutMilliseconds: 60_000)
    let words = result.output
    #expect(words.contains("echo 8192 | sudo tee /sys/module/udmabuf/parameters/list_limit"))
    #expect(words.contains("echo 64 | sudo tee /sys/module/udmabuf/parameters/size_limit_mb"))
    #expect(words.contains("saves a copy of 8 MB"))
  }

  /// Shows frames whose import is refused, removes the cause, and expects that only new buffers are imported.
  private func expectFall(_ host: LabHost, _ guest: CardGuest, _ reason: String, mend: () throws -> Void) throws {
    for grey in UInt8(1)...4 { try guest.flip(grey: grey) }
    let picture = Picture.noise(width: 640, height: 480, seed: 8)
    try guest.flip(picture)
    try host.expect(output: "Virtual-1", shows: picture)
    expectRung(try host.status().scanout(vm: "web"), frames: 5, reason)

    try mend()
    try guest.flip(grey: 9)
    expectRung(try host.status().scanout(vm: "web"), frames: 6, reason)
    let copied = try host.status().scanout(vm: "web").copiedBytes

    try guest.renewBlobs()
    try guest.flip(grey: 10)
    let other = Picture.noise(width: 640, height: 480, seed: 9)
    try guest.flip(other)
    try host.expect(output: "Virtual-1", shows: other)
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == .direct)
    #expect(scanout.pathReason == nil)
    #expect(scanout.copiedBytes == copied)
  }

  /// Expects that all frames were shown without a copy, or each with one for that reason.
  private func expectRung(
    _ scanout: DaemonStatus.Scanout, frames: UInt64, _ reason: String?, _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(scanout.framesFlipped == frames, sourceLocation: location)
    #expect(scanout.path == (reason == nil ? .direct : .copy), sourceLocation: location)
    #expect((scanout.pathReason ?? "").hasPrefix(reason ?? ""), "\(scanout.pathReason ?? "")", sourceLocation: location)
    #expect(scanout.cpuCopies == (reason == nil ? 0 : frames), sourceLocation: location)
    let bytes = UInt64((scanout.width ?? 0) * (scanout.height ?? 0) * 4)
    #expect(scanout.copiedBytes == (reason == nil ? 0 : frames * bytes), sourceLocation: location)
  }

  private func set(_ parameter: String, _ value: String) throws {
    try run("echo \(value) >/sys/module/udmabuf/parameters/\(parameter)")
  }

  private func run(_ words: String) throws {
    let result = try ChildProcess.run(ChildCommand("sh", ["-c", words]))
    guard result.exit.isSuccess else { throw LabError("\(words): \(result.error)") }
  }
}
