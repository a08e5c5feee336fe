import CDRM

/// The capabilities of a card's driver; reading them enables the client capabilities.
struct CardCapabilities: Equatable {
  let driverName: String
  /// Dma-bufs of other devices can become framebuffers (`DRM_PRIME_CAP_IMPORT`).
  let importsBuffers: Bool
  /// Framebuffers may have modifiers.
  let hasModifiers: Bool
  /// Writeback connectors are listed.
  let hasWriteback: Bool
  /// The cursor size in pixels that the driver recommends.
  let cursorSize: Int

  init(_ device: CardDevice) throws(KMSError) {
    driverName = device.driverName
    guard device.enable(DRM_CLIENT_CAP_UNIVERSAL_PLANES), device.enable(DRM_CLIENT_CAP_ATOMIC) else {
      throw .unsuitable(path: device.path, "the driver \(driverName) does not support atomic mode setting")
    }
    guard device.capability(DRM_CAP_DUMB_BUFFER) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) does not support dumb buffers")
    }
    guard device.capability(DRM_CAP_TIMESTAMP_MONOTONIC) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) does not use CLOCK_MONOTONIC for flip events")
    }
    let prime = device.capability(DRM_CAP_PRIME)
    guard prime & UInt64(DRM_PRIME_CAP_EXPORT) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) cannot export buffers")
    }
    importsBuffers = prime & UInt64(DRM_PRIME_CAP_IMPORT) != 0
    hasModifiers = device.capability(DRM_CAP_ADDFB2_MODIFIERS) != 0
    hasWriteback = device.enable(DRM_CLIENT_CAP_WRITEBACK_CONNECTORS)
    let width = device.capability(DRM_CAP_CURSOR_WIDTH)
    let height = device.capability(DRM_CAP_CURSOR_HEIGHT)
    cursorSize = Int(clamping: min(width, height))
  }
}
