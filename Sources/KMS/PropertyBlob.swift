import CDRM
import LinuxIO
import Scanout

/// A property blob of this process, such as a mode; the kernel keeps its content while a state uses it.
struct PropertyBlob: ~Copyable {
  let id: UInt32
  private let device: CardDevice

  /// A mode's timing, for `MODE_ID`.
  init(_ device: CardDevice, mode: KMSMode) throws(SystemError) {
    var timing = mode.timing
    id = unsafe try Self.make(device, &timing, byteCount: MemoryLayout<drmModeModeInfo>.size)
    self.device = device
  }

  /// A blob of those bytes.
  init(_ device: CardDevice, bytes: [UInt8]) throws(SystemError) {
    id = unsafe try Self.make(device, bytes, byteCount: bytes.count)
    self.device = device
  }

  deinit { _ = drmModeDestroyPropertyBlob(device.fd.raw, id) }

  /// The corresponding C function is `drmModeCreatePropertyBlob`.
  static func make(
    _ device: CardDevice, _ bytes: UnsafeRawPointer, byteCount: Int
  ) throws(SystemError) -> UInt32 {
    var id: UInt32 = 0
    let raw = device.fd.raw
    // SAFETY: the caller's byteCount bytes are read during the call.
    try drm("DRM_IOCTL_MODE_CREATEPROPBLOB", "\(byteCount) bytes") {
      unsafe drmModeCreatePropertyBlob(raw, bytes, byteCount, &id)
    }
    return id
  }
}

/// The clip rectangles of one commit (FB_DAMAGE_CLIPS), in storage that is allocated once.
struct DamageClips {
  private var rects = InlineArray<16, drm_mode_rect>(repeating: drm_mode_rect())
  private var count = 0

  /// Copies the region's rectangles, at most 16.
  mutating func assign(_ damage: DamageRegion) {
    count = 0
    for index in 0..<min(damage.count, 16) {
      let rect = damage[index]
      rects[index] = drm_mode_rect(
        x1: Int32(clamping: rect.x), y1: Int32(clamping: rect.y), x2: Int32(clamping: rect.maxX),
        y2: Int32(clamping: rect.maxY))
      count += 1
    }
  }

  /// Creates a blob of them, which the caller destroys; nil if the kernel refuses: then everything is redrawn.
  mutating func makeBlob(_ device: CardDevice) -> UInt32? {
    let byteCount = count * MemoryLayout<drm_mode_rect>.stride
    if byteCount == 0 { return nil }
    var id: UInt32 = 0
    // SAFETY: the storage holds 16 rectangles, and count is 16 at most.
    let result = unsafe withUnsafeBytes(of: &rects) { bytes in
      unsafe drmModeCreatePropertyBlob(device.fd.raw, bytes.baseAddress, byteCount, &id)
    }
    return result == 0 ? id : nil
  }
}
