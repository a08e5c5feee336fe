import CDRM

/// What a card's driver can do; reading it turns the client capabilities on.
struct CardCapabilities: Equatable {
  let driverName: String
  /// Dma-bufs of others can become frame buffers, as far as the driver says.
  let importsBuffers: Bool
  /// Frame buffers may carry modifiers.
  let hasModifiers: Bool
  /// Connectors that write the picture back into memory are listed.
  let hasWriteback: Bool
  /// Width and height of cursor pictures that the driver recommends.
  let cursorSize: Int

  init(_ device: CardDevice) throws(KMSError) {
    driverName = device.driverName
    guard device.enable(DRM_CLIENT_CAP_UNIVERSAL_PLANES), device.enable(DRM_CLIENT_CAP_ATOMIC) else {
      throw .unsuitable(path: device.path, "the driver \(driverName) has no atomic mode setting")
    }
    guard device.capability(DRM_CAP_DUMB_BUFFER) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) makes no dumb buffers")
    }
    guard device.capability(DRM_CAP_TIMESTAMP_MONOTONIC) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) does not time flips by CLOCK_MONOTONIC")
    }
    let prime = device.capability(DRM_CAP_PRIME)
    guard prime & UInt64(DRM_PRIME_CAP_EXPORT) != 0 else {
      throw .unsuitable(path: device.path, "the driver \(driverName) exports no buffers")
    }
    importsBuffers = prime & UInt64(DRM_PRIME_CAP_IMPORT) != 0
    hasModifiers = device.capability(DRM_CAP_ADDFB2_MODIFIERS) != 0
    hasWriteback = device.enable(DRM_CLIENT_CAP_WRITEBACK_CONNECTORS)
    let width = device.capability(DRM_CAP_CURSOR_WIDTH)
    let height = device.capability(DRM_CAP_CURSOR_HEIGHT)
    cursorSize = Int(clamping: min(width, height))
  }
}
