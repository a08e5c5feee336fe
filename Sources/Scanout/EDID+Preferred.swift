extension EDID {
  /// The largest EDID that virtio-gpu can transfer, in bytes.
  public static let maxByteCount = 1024

  /// How many pixels smaller than the display's rectangle a preferred mode may be before Linux drops it
  /// (`virtio_gpu_conn_mode_valid`).
  public static let preferredModeTolerance = 16

  /// Whether the bytes are whole blocks with valid checksums, as many as the base block announces.
  public static func isValid(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= blockByteCount, bytes.count % blockByteCount == 0,
      bytes.starts(with: [0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
      bytes.count == (Int(bytes[126]) + 1) * blockByteCount
    else { return false }
    return stride(from: 0, to: bytes.count, by: blockByteCount).allSatisfy {
      checksum(bytes[$0..<$0 + blockByteCount]) == 0
    }
  }

  /// The preferred mode: a DisplayID timing marked as preferred, else the base block's first detailed timing.
  ///
  /// Nil if the EDID is broken or has neither.
  public static func preferredMode(of bytes: [UInt8]) -> DisplayMode? {
    isValid(bytes) ? (displayIDPreferredMode(bytes) ?? basePreferredMode(bytes)) : nil
  }

  /// Whether a Linux guest with a display of `mode` keeps this EDID's preferred mode.
  public static func agrees(_ bytes: [UInt8], with mode: DisplayMode) -> Bool {
    guard isValid(bytes) else { return false }
    return [displayIDPreferredMode(bytes), basePreferredMode(bytes)].contains { preferred in
      guard let preferred else { return false }
      return (mode.width - preferredModeTolerance...mode.width).contains(preferred.width)
        && (mode.height - preferredModeTolerance...mode.height).contains(preferred.height)
    }
  }

  /// The same EDID with `mode` as its preferred mode: the first detailed timing and the checksum are rewritten.
  ///
  /// Nil if the EDID is broken, or if the mode is too large or too fast for a detailed timing; then generate an EDID.
  public static func rewritingPreferredMode(of bytes: [UInt8], to mode: DisplayMode) -> [UInt8]? {
    let timing = VideoTiming(mode)
    guard isValid(bytes), timing.fitsDescriptor else { return nil }
    // The physical size in the old timing is the monitor's and stays.
    let isTiming = bytes[54] | bytes[55] != 0
    let width = isTiming ? Int(bytes[66]) | Int(bytes[68] >> 4) << 8 : Int(bytes[21]) * 10
    let height = isTiming ? Int(bytes[67]) | Int(bytes[68] & 15) << 8 : Int(bytes[22]) * 10
    var result = bytes
    result.replaceSubrange(54..<72, with: timing.descriptor(widthMillimetres: width, heightMillimetres: height))
    // In EDID 1.3 this bit marks the first timing as the preferred one, in 1.4 as the native one.
    result[24] |= 0x02
    result[127] = checksum(result[0..<127])
    return result
  }

  /// The EDID for a guest whose display has this mode: the monitor's own if it agrees with the mode, else rewritten,
  /// else generated.
  public static func forGuest(monitor: [UInt8], description: Description) -> [UInt8] {
    if monitor.count <= maxByteCount {
      if agrees(monitor, with: description.mode) { return monitor }
      if let rewritten = rewritingPreferredMode(of: monitor, to: description.mode) { return rewritten }
    }
    return generate(description)
  }

  private static func basePreferredMode(_ bytes: [UInt8]) -> DisplayMode? {
    VideoTiming(descriptor: bytes[54..<72]).map(mode)
  }

  /// The first type I timing marked as preferred in a DisplayID 1.x extension.
  private static func displayIDPreferredMode(_ bytes: [UInt8]) -> DisplayMode? {
    for start in stride(from: blockByteCount, to: bytes.count, by: blockByteCount) where bytes[start] == 0x70 {
      // The section's payload ends before its checksum and the block's.
      let end = min(start + 5 + Int(bytes[start + 2]), start + blockByteCount - 2)
      var offset = start + 5
      while offset + 3 <= end {
        let tag = bytes[offset]
        let next = offset + 3 + Int(bytes[offset + 2])
        if tag == 0x03 && next <= end {
          for timing in stride(from: offset + 3, through: next - 20, by: 20) where bytes[timing + 3] & 0x80 != 0 {
            if let found = VideoTiming(displayIDTypeI: bytes[timing..<timing + 20]) { return mode(found) }
          }
        }
        if tag == 0 && bytes[offset + 2] == 0 { break }
        offset = next
      }
    }
    return nil
  }

  private static func mode(_ timing: VideoTiming) -> DisplayMode {
    DisplayMode(width: timing.width, height: timing.height, refreshMillihertz: timing.refreshMillihertz)
  }
}
