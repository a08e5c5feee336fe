/// A 32-bit pixel layout, named as in drm_fourcc.h (components from the highest bits to the lowest of a
/// little-endian word).
public enum PixelFormat: UInt32, CaseIterable, Sendable {
  /// DRM_FORMAT_ARGB8888, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM (1).
  case argb8888 = 0x3432_5241
  /// DRM_FORMAT_XRGB8888, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM (2).
  case xrgb8888 = 0x3432_5258
  /// DRM_FORMAT_BGRA8888, VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM (3).
  case bgra8888 = 0x3432_4142
  /// DRM_FORMAT_BGRX8888, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM (4).
  case bgrx8888 = 0x3432_5842
  /// DRM_FORMAT_ABGR8888, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM (67).
  case abgr8888 = 0x3432_4241
  /// DRM_FORMAT_RGBX8888, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM (68).
  case rgbx8888 = 0x3432_5852
  /// DRM_FORMAT_RGBA8888, VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM (121).
  case rgba8888 = 0x3432_4152
  /// DRM_FORMAT_XBGR8888, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM (134).
  case xbgr8888 = 0x3432_4258

  /// The format of a fourcc code, or nil for one that is not 32-bit RGB.
  public init?(fourcc: UInt32) { self.init(rawValue: fourcc) }

  /// The DRM fourcc code.
  public var fourcc: UInt32 { rawValue }

  /// Bytes per pixel: 4 in all formats.
  public static let bytesPerPixel = 4

  /// The fourcc's name without `DRM_FORMAT_`, for example `XRGB8888`.
  public var name: String {
    switch self {
    case .argb8888: "ARGB8888"
    case .xrgb8888: "XRGB8888"
    case .bgra8888: "BGRA8888"
    case .bgrx8888: "BGRX8888"
    case .abgr8888: "ABGR8888"
    case .rgbx8888: "RGBX8888"
    case .rgba8888: "RGBA8888"
    case .xbgr8888: "XBGR8888"
    }
  }

  /// The same layout with the alpha byte ignored, for a primary plane.
  public var opaque: PixelFormat {
    switch self {
    case .argb8888, .xrgb8888: .xrgb8888
    case .bgra8888, .bgrx8888: .bgrx8888
    case .abgr8888, .xbgr8888: .xbgr8888
    case .rgba8888, .rgbx8888: .rgbx8888
    }
  }

  /// The bit positions of the components in a little-endian word; alpha is the remaining byte.
  public var shifts: (red: UInt32, green: UInt32, blue: UInt32, alpha: UInt32) {
    switch self {
    case .argb8888, .xrgb8888: (16, 8, 0, 24)
    case .bgra8888, .bgrx8888: (8, 16, 24, 0)
    case .abgr8888, .xbgr8888: (0, 8, 16, 24)
    case .rgba8888, .rgbx8888: (24, 16, 8, 0)
    }
  }
}
