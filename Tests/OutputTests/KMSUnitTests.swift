import LinuxIO
import Outputs
import Scanout
import Testing

@testable import KMS

/// The 68 bytes of a mode as the kernel returns it.
private func timing(
  clock: UInt32, _ width: UInt16, _ totalWidth: UInt16, _ height: UInt16, _ totalHeight: UInt16, flags: UInt32 = 0,
  type: UInt32 = 0x40
) throws -> KMSMode {
  func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value & 0xff), UInt8(value >> 8)] }
  func bytes(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
  }
  var blob = bytes(clock)
  // hdisplay, hsync_start, hsync_end, htotal, hskew
  for value in [width, width + 1, width + 2, totalWidth, 0] { blob += bytes(value) }
  // vdisplay, vsync_start, vsync_end, vtotal, vscan
  for value in [height, height + 1, height + 2, totalHeight, 0] { blob += bytes(value) }
  // vrefresh, flags, type, name
  blob += bytes(UInt32(60)) + bytes(flags) + bytes(type) + [UInt8](repeating: 0, count: 32)
  return try #require(KMSMode(blob: blob))
}

@Suite struct KMSModeTests {
  let fullHD: KMSMode
  let fullHDSlow: KMSMode
  let preferred: KMSMode

  init() throws {
    // CEA-861 timings: 148.5 MHz / (2200 × 1125) = 60 Hz, 148.352 MHz the same at 59.94 Hz.
    fullHD = try timing(clock: 148_500, 1920, 2200, 1080, 1125)
    fullHDSlow = try timing(clock: 148_352, 1920, 2200, 1080, 1125)
    preferred = try timing(clock: 241_500, 2560, 2720, 1440, 1481, type: 0x48)
  }

  @Test func `rates are exact`() {
    #expect(fullHD.mode == DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000))
    #expect(fullHDSlow.mode.refreshMillihertz == 59_940)
    #expect(preferred.mode.refreshMillihertz == 59_951)
  }

  @Test func `the preferred mode comes first, interlaced ones not at all, none twice`() throws {
    let interlaced = try timing(clock: 74_250, 1920, 2200, 1080, 1125, flags: 0x10)
    let list = KMSMode.usable([fullHD, interlaced, preferred, fullHD].map(\.timing))
    #expect(list == [preferred, fullHD])
  }

  @Test func `the nearest rate within a hertz is taken`() throws {
    let modes = [preferred, fullHD, fullHDSlow]
    let at5994 = try #require(DisplayMode("1920x1080@59.9"))
    #expect(try KMSMode.choose(at5994, from: modes, connector: "HDMI-A-1") == fullHDSlow)
    #expect(try KMSMode.choose(DisplayMode("2560x1440"), from: modes, connector: "HDMI-A-1") == preferred)
    #expect(try KMSMode.choose(nil, from: modes, connector: "HDMI-A-1") == preferred)
    let anyRate = DisplayMode(width: 1920, height: 1080, refreshMillihertz: 0)
    #expect(try KMSMode.choose(anyRate, from: modes, connector: "HDMI-A-1") == fullHD)
  }

  @Test func `a guest's size is shown in the current mode, else in the one nearest to the output's own rate`() throws {
    let fast = try timing(clock: 297_000, 1920, 2200, 1080, 1125)
    let modes = [preferred, fast, fullHDSlow, fullHD]
    let candidates = { (current: KMSMode, keeping: DisplayMode?) in
      KMSMode.candidates(
        width: 1920, height: 1080, from: modes, current: current, homeMillihertz: 60_000, keeping: keeping)
    }
    #expect(candidates(preferred, nil) == [fullHD, fullHDSlow, fast])
    #expect(candidates(fast, nil) == [fast, fullHD, fullHDSlow])
    #expect(candidates(preferred, preferred.mode) == [])
    #expect(candidates(fast, preferred.mode) == [fast])
    #expect(candidates(preferred, fullHDSlow.mode) == [fullHDSlow])
  }

  @Test(arguments: ["1920x1080@75", "1280x720"])
  func `a mode that the monitor lacks is an error that lists the available ones`(text: String) throws {
    let wanted = try #require(DisplayMode(text))
    let error = #expect(throws: KMSError.self) {
      try KMSMode.choose(wanted, from: [preferred, fullHD], connector: "HDMI-A-1")
    }
    #expect(
      error?.description == "HDMI-A-1 has no mode \(wanted); it has 2560x1440@59.951, 1920x1080@60")
  }
}

@Suite struct PropertyTableTests {
  @Test func `a missing property is an error with the names of both`() {
    let table = PropertyTable(object: "plane 31", entries: ["FB_ID": .init(id: 17, value: 0)])
    #expect(throws: KMSError.missingProperty(object: "plane 31", name: "CRTC_ID")) { try PlaneProperties(table) }
  }

  @Test func `an id of 0 is missing`() {
    let table = PropertyTable(object: "CRTC 40", entries: ["ACTIVE": .init(id: 0, value: 0)])
    #expect(throws: KMSError.missingProperty(object: "CRTC 40", name: "ACTIVE")) { try CRTCProperties(table) }
  }

  @Test func `an optional property that is missing has the id 0`() throws {
    #expect(try planeProperties(damageClips: false).damageClips == nil)
    #expect(try planeProperties(damageClips: true).damageClips == 30)
  }
}

/// Plane properties with ids 20 to 30.
private func planeProperties(damageClips: Bool) throws -> PlaneProperties {
  let names = [
    "FB_ID", "CRTC_ID", "SRC_X", "SRC_Y", "SRC_W", "SRC_H", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H", "FB_DAMAGE_CLIPS",
  ]
  var entries: [String: PropertyTable.Entry] = [:]
  for (index, name) in names.prefix(damageClips ? 11 : 10).enumerated() {
    entries[name] = .init(id: UInt32(20 + index), value: 0)
  }
  return try PlaneProperties(PropertyTable(object: "plane 31", entries: entries))
}

@Suite struct AtomicRequestTests {
  @Test func `a plane's source is 16.16 and its place may be negative`() throws {
    var request = AtomicRequest()
    let scene = PlaneScene(
      framebufferID: 99, source: Rect(x: 2, y: 3, width: 64, height: 48), x: -5, y: 7)
    scene.append(to: &request, plane: 31, try planeProperties(damageClips: false), crtc: 40)
    let expected: [(UInt32, UInt64)] = [
      (20, 99), (21, 40), (22, 2 << 16), (23, 3 << 16), (24, 64 << 16), (25, 48 << 16),
      (26, 0xffff_ffff_ffff_fffb), (27, 7), (28, 64), (29, 48),
    ]
    let contents = request.contents
    #expect(contents.map(\.object) == [UInt32](repeating: 31, count: 10))
    #expect(contents.map(\.property) == expected.map(\.0))
    #expect(contents.map(\.value) == expected.map(\.1))
  }

  @Test func `a reused request discards its former properties`() {
    var request = AtomicRequest()
    request.begin(1)
    request.set(2, 3)
    request.reset()
    request.begin(4)
    request.set(5, signed: -1)
    let contents = request.contents
    #expect(contents.map(\.object) == [4])
    #expect(contents.map(\.value) == [UInt64.max])
  }

  @Test func `an overflow of the request is remembered as a failure`() {
    var request = AtomicRequest()
    request.begin(1)
    for _ in 0..<AtomicRequest.propertyCapacity { request.set(1, 1) }
    let before = request.isOverfull
    request.set(1, 1)
    let after = request.isOverfull
    #expect(!before && after)
  }

  @Test func `a property without an object is a failure`() {
    var request = AtomicRequest()
    request.set(1, 1)
    let isOverfull = request.isOverfull
    #expect(isOverfull)
  }
}

@Suite struct UeventTests {
  private let hotplug =
    "change@/devices/faux/vkms/drm/card0\0ACTION=change\0DEVPATH=/devices/faux/vkms/drm/card0\0"
    + "SUBSYSTEM=drm\0HOTPLUG=1\0MAJOR=226\0MINOR=0\0DEVNAME=dri/card0\0DEVTYPE=drm_minor\0SEQNUM=2345\0"

  @Test func `a uevent of this card's connector is a hotplug`() throws {
    let event = try #require(Uevent(Array(hotplug.utf8)))
    #expect(event.concernsConnectors(of: "dri/card0"))
    #expect(!event.concernsConnectors(of: "dri/card1"))
    #expect(!event.isRemoval(of: "dri/card0"))
  }

  @Test func `a uevent that removes the card is recognised`() throws {
    let text = "remove@/x\0ACTION=remove\0SUBSYSTEM=drm\0DEVNAME=dri/card0\0DEVTYPE=drm_minor\0"
    let event = try #require(Uevent(Array(text.utf8)))
    #expect(event.isRemoval(of: "dri/card0"))
    #expect(!event.concernsConnectors(of: "dri/card0"))
  }

  @Test func `other uevents of the card are ignored`() throws {
    let lease = hotplug.replacing("HOTPLUG=1", with: "LEASE=1")
    #expect(try !#require(Uevent(Array(lease.utf8))).concernsConnectors(of: "dri/card0"))
  }

  @Test func `bytes that are not a uevent are ignored`() {
    #expect(Uevent([]) == nil)
    #expect(Uevent(Array("libudev\0\u{0}abc".utf8)) == nil)
    #expect(Uevent(Array("change@/x\0nonsense\0=\0".utf8))?.action == "")
  }
}

@Suite struct PageFlipTests {
  /// DRM_EVENT_FLIP_COMPLETE (2), 32 bytes, user data 7, 12.000345 s, sequence 0x01020304, CRTC 40.
  private let event: [UInt8] = [
    2, 0, 0, 0, 32, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0x59, 1, 0, 0, 4, 3, 2, 1, 40, 0, 0, 0,
  ]

  private func flips(_ bytes: [UInt8]) -> [PageFlip] {
    var result: [PageFlip] = []
    bytes.withUnsafeBytes { PageFlip.forEach(in: $0) { result.append($0) } }
    return result
  }

  @Test func `a page-flip event carries time, sequence and CRTC`() {
    let flip = PageFlip(crtcID: 40, commitNumber: 7, timeNanoseconds: 12_000_345_000, sequence: 0x0102_0304)
    #expect(flips(event) == [flip])
    #expect(flips(event + event) == [flip, flip])
  }

  @Test func `other DRM events are skipped`() {
    let vblank: [UInt8] = [1] + event.dropFirst()
    let vendor: [UInt8] = [0, 0, 0, 0x80, 12, 0, 0, 0, 1, 2, 3, 4]
    #expect(flips(vblank + vendor + event).count == 1)
  }

  @Test func `an impossible length ends the reading`() {
    #expect(flips(Array(event.prefix(31))).isEmpty)
    #expect(flips([2, 0, 0, 0, 0, 0, 0, 0]).isEmpty)
    #expect(flips([2, 0, 0, 0, 8, 0, 0, 0]).isEmpty)
  }
}

@Suite struct VblankClockTests {
  private func flip(_ sequence: UInt32, at time: UInt64) -> PageFlip {
    PageFlip(crtcID: 1, commitNumber: 1, timeNanoseconds: time, sequence: sequence)
  }

  @Test func `a wrap of the hardware counter is not a step back`() {
    var clock = VblankClock(sequence: 0xffff_fffe, timeNanoseconds: 100, periodNanoseconds: 10)
    #expect(clock.flipped(flip(1, at: 130)) == 0x1_0000_0001)
  }

  @Test func `the number still rises when the hardware counter restarts`() {
    var clock = VblankClock(sequence: 5000, timeNanoseconds: 100, periodNanoseconds: 10)
    #expect(clock.flipped(flip(3, at: 130)) == 5001)
  }

  @Test func `the next vblank is computed from the time since the last one`() {
    let clock = VblankClock(sequence: 50, timeNanoseconds: 1000, periodNanoseconds: 10)
    #expect(clock.next(after: 1009) == 51)
    #expect(clock.next(after: 1010) == 52)
    #expect(clock.next(after: 900) == 51)
    #expect(!clock.isStale(at: 1000 + VblankClock.trustNanoseconds))
    #expect(clock.isStale(at: 1001 + VblankClock.trustNanoseconds))
  }
}

@Suite struct AssignmentTests {
  private func wish(_ connector: UInt32, _ possible: UInt32, _ current: UInt32? = nil) -> Assignment.Wish {
    Assignment.Wish(connector: connector, possibleCRTCs: possible, currentCRTC: current)
  }

  @Test func `connectors keep their CRTC`() {
    #expect(Assignment.match([wish(1, 0b11, 41), wish(2, 0b11, 40)], crtcs: [40, 41]) == [1: 41, 2: 40])
  }

  @Test func `a connector with one possible CRTC gets it before others`() {
    #expect(Assignment.match([wish(1, 0b11, 40), wish(2, 0b01)], crtcs: [40, 41]) == [1: 41, 2: 40])
  }

  @Test func `CRTCs in use stay assigned`() {
    #expect(Assignment.match([wish(1, 0b11), wish(2, 0b11)], crtcs: [nil, 41]) == [1: 41])
    #expect(Assignment.match([wish(1, 0b01)], crtcs: [nil, 41]).isEmpty)
  }
}

@Suite struct MasterHolderTests {
  @Test func `the master is found in debugfs's table with any name`() {
    let text = """
                   command  tgid dev master a   uid      magic                     name                   id
            systemd-logind   410   0   y    y     0          0
               Xorg wayland  612   0   n    y  1000          1                <unset>                    7

      """
    #expect(
      MasterHolder.masters(clientsText: text) == [MasterHolder(program: "systemd-logind", pid: 410, isCertain: true)])
    #expect(
      MasterHolder.masters(clientsText: text.replacing("n    y", with: "y    y")).last?.description
        == "Xorg wayland (pid 612)")
  }

  @Test func `the busy error names the holder`() {
    let holder = MasterHolder(program: "Xorg", pid: 612, isCertain: true)
    #expect(
      KMSError.masterTaken(path: "/dev/dri/card0", holders: [holder]).description
        == "/dev/dri/card0: DRM master is taken by Xorg (pid 612)")
  }
}

@Suite struct ImporterTests {
  @Test func `udmabuf's limits are named`() {
    let limits = Importer.Limits(ranges: 1024, mebibytes: 64)
    #expect(limits.refusal(ranges: 1024, byteCount: 64 << 20) == nil)
    #expect(
      limits.refusal(ranges: 2025, byteCount: 4096) == "2025 ranges of memory exceed udmabuf's list_limit of 1024")
    #expect(
      limits.refusal(ranges: 1, byteCount: (64 << 20) + 1) == "67108865 bytes exceed udmabuf's size_limit_mb of 64")
  }

  @Test func `a missing udmabuf is explained by what the kernel lacks`() {
    let missing = SystemError(call: "open", code: 2, subject: "/dev/udmabuf")
    #expect(
      Importer.openRefusal(missing)
        == "/dev/udmabuf is missing: the kernel lacks CONFIG_UDMABUF, or its module is not loaded")
  }
}
