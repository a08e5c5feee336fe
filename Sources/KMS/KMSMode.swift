import CDRM
import Scanout

/// A mode of a monitor: the kernel's timing and the `DisplayMode` it stands for.
struct KMSMode: Equatable {
  let timing: drmModeModeInfo
  let mode: DisplayMode

  init(_ timing: drmModeModeInfo) {
    self.timing = timing
    mode = DisplayMode(
      width: Int(timing.hdisplay), height: Int(timing.vdisplay), refreshMillihertz: KMSMode.refreshMillihertz(timing))
  }

  /// Reads the timing in a mode's property blob (`struct drm_mode_modeinfo`); nil if the size is wrong.
  init?(blob bytes: [UInt8]) {
    guard bytes.count == MemoryLayout<drm_mode_modeinfo>.size else { return nil }
    // libdrm's structure is the kernel's: plain data of that size.
    self.init(unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: drmModeModeInfo.self) })
  }

  static func == (left: KMSMode, right: KMSMode) -> Bool {
    // SAFETY: both are plain C structures without padding (17 words of 4 bytes).
    unsafe withUnsafeBytes(of: left.timing) { first in
      unsafe withUnsafeBytes(of: right.timing) { second in unsafe first.elementsEqual(second) }
    }
  }

  var isPreferred: Bool { timing.type & UInt32(DRM_MODE_TYPE_PREFERRED) != 0 }

  private var isProgressive: Bool {
    timing.flags & UInt32(DRM_MODE_FLAG_INTERLACE | DRM_MODE_FLAG_DBLSCAN) == 0
  }

  /// The exact rate of a timing: pixel clock (kHz) over total pixels, rounded to the nearest millihertz.
  static func refreshMillihertz(_ timing: drmModeModeInfo) -> Int {
    let pixels = Int(timing.htotal) * Int(timing.vtotal)
    if pixels == 0 { return Int(timing.vrefresh) * 1000 }
    return (Int(timing.clock) * 1_000_000 + pixels / 2) / pixels
  }

  /// The modes that an output offers: progressive, each size and rate once, the preferred one first.
  static func usable(_ timings: [drmModeModeInfo]) -> [KMSMode] {
    var result: [KMSMode] = []
    let all = timings.map(KMSMode.init).filter { $0.isProgressive && $0.mode.width > 0 && $0.mode.height > 0 }
    for mode in all.filter(\.isPreferred) + all.filter({ !$0.isPreferred })
    where !result.contains(where: { $0.mode == mode.mode }) {
      result.append(mode)
    }
    return result
  }

  /// How far a rate may be from the requested one: 59.94 Hz is accepted for 60.
  static let rateToleranceMillihertz = 1000

  /// The mode for a request: the first of all without a request; else, of that size, the one with the nearest rate, or
  /// the first if the requested rate is 0.
  static func choose(_ wanted: DisplayMode?, from modes: [KMSMode], connector: String) throws(KMSError) -> KMSMode {
    guard let wanted else {
      if let first = modes.first { return first }
      throw .disconnected(connector)
    }
    let sized = modes.filter { $0.mode.width == wanted.width && $0.mode.height == wanted.height }
    let nearest =
      wanted.refreshMillihertz == 0
      ? sized.first : sized.min { $0.distance(to: wanted) < $1.distance(to: wanted) }
    guard let nearest, wanted.refreshMillihertz == 0 || nearest.distance(to: wanted) <= rateToleranceMillihertz else {
      throw .noMode(connector: connector, wanted: wanted, has: modes.map(\.mode))
    }
    return nearest
  }

  /// The modes in which a picture of that size fills the screen, best first: the current mode, then by distance to the
  /// output's own rate, because a guest gives none.
  ///
  /// - Parameters:
  ///   - homeMillihertz: the rate of the mode that the output was opened in.
  ///   - keeping: the only mode that the output may switch to; nil for any.
  static func candidates(
    width: Int, height: Int, from modes: [KMSMode], current: KMSMode, homeMillihertz: Int, keeping: DisplayMode?
  ) -> [KMSMode] {
    let sized = modes.filter { $0.mode.width == width && $0.mode.height == height }
    let others = sized.filter { $0 != current && (keeping == nil || $0.mode == keeping) }
    let home = DisplayMode(width: width, height: height, refreshMillihertz: homeMillihertz)
    return sized.filter { $0 == current } + others.sorted { $0.distance(to: home) < $1.distance(to: home) }
  }

  private func distance(to wanted: DisplayMode) -> Int { abs(mode.refreshMillihertz - wanted.refreshMillihertz) }
}
