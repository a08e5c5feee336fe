/// The pixels, blanking and sync pulses of a mode: VESA CVT with reduced blanking, version 1.
///
/// Unlike in CVT, the width is kept to the pixel and the clock to 10 kHz, so that the refresh rate is the requested
/// one.
struct VideoTiming: Equatable {
  /// In units of 10 kHz, as in EDID.
  var pixelClock10Kilohertz: Int
  var width: Int
  var horizontalBlank: Int
  var horizontalFront: Int
  var horizontalSync: Int
  var height: Int
  var verticalBlank: Int
  var verticalFront: Int
  var verticalSync: Int

  /// Pixels per line, with blanking.
  var horizontalTotal: Int { width + horizontalBlank }
  /// Lines per frame, with blanking.
  var verticalTotal: Int { height + verticalBlank }

  /// The resulting refresh rate.
  var refreshMillihertz: Int {
    let pixels = horizontalTotal * verticalTotal
    return pixels > 0 ? (pixelClock10Kilohertz * 10_000_000 + pixels / 2) / pixels : 0
  }

  /// Lines per second.
  var lineRateHertz: Int { horizontalTotal > 0 ? pixelClock10Kilohertz * 10_000 / horizontalTotal : 0 }

  init(
    pixelClock10Kilohertz: Int, width: Int, horizontalBlank: Int, horizontalFront: Int, horizontalSync: Int,
    height: Int, verticalBlank: Int, verticalFront: Int, verticalSync: Int
  ) {
    self.pixelClock10Kilohertz = pixelClock10Kilohertz
    self.width = width
    self.horizontalBlank = horizontalBlank
    self.horizontalFront = horizontalFront
    self.horizontalSync = horizontalSync
    self.height = height
    self.verticalBlank = verticalBlank
    self.verticalFront = verticalFront
    self.verticalSync = verticalSync
  }

  /// The timing of a mode. Sizes are limited to 1…16384 pixels and rates to 1…1000 Hz; an unknown rate becomes 60 Hz.
  init(_ mode: DisplayMode) {
    width = min(max(mode.width, 1), 16384)
    height = min(max(mode.height, 1), 16384)
    let millihertz = mode.refreshMillihertz > 0 ? min(max(mode.refreshMillihertz, 1000), 1_000_000) : 60_000
    horizontalBlank = 160
    horizontalFront = 48
    horizontalSync = 32
    verticalFront = 3
    verticalSync = VideoTiming.verticalSyncLines(width: width, height: height)
    // At least 460 µs of vertical blanking. A frame lasts 10⁹ / millihertz µs, a visible line `height`-th of the rest.
    let frameMicroseconds = 1_000_000_000 / Double(millihertz)
    let blankLines = Int(460 * Double(height) / (frameMicroseconds - 460)) + 1
    // A clock below 10 MHz makes a descriptor invalid: small and slow modes get more blanking.
    let enoughLines = (10_000_000_000 / ((width + horizontalBlank) * millihertz)) + 1 - height
    verticalBlank = max(blankLines, verticalFront + verticalSync + 6, min(enoughLines, 4095))
    let pixels = (width + horizontalBlank) * (height + verticalBlank)
    pixelClock10Kilohertz = max((pixels * millihertz + 5_000_000) / 10_000_000, 1)
  }

  /// CVT encodes the aspect ratio in the length of the vertical sync pulse.
  private static func verticalSyncLines(width: Int, height: Int) -> Int {
    if width * 3 == height * 4 { return 4 }
    if width * 9 == height * 16 { return 5 }
    if width * 10 == height * 16 { return 6 }
    if width * 4 == height * 5 || width * 9 == height * 15 { return 7 }
    return 10
  }

  /// Whether the timing fits into an 18-byte detailed timing descriptor.
  var fitsDescriptor: Bool {
    width <= 4095 && height <= 4095 && verticalBlank <= 4095 && pixelClock10Kilohertz <= 65535
  }

  /// The 18 bytes of a detailed timing descriptor (EDID 1.4, 3.10.2). Requires `fitsDescriptor`.
  func descriptor(widthMillimetres: Int, heightMillimetres: Int) -> [UInt8] {
    let across = min(widthMillimetres, 4095)
    let down = min(heightMillimetres, 4095)
    return [
      low(pixelClock10Kilohertz), low(pixelClock10Kilohertz >> 8),
      low(width), low(horizontalBlank), low((width >> 8) << 4 | horizontalBlank >> 8),
      low(height), low(verticalBlank), low((height >> 8) << 4 | verticalBlank >> 8),
      low(horizontalFront), low(horizontalSync),
      low((verticalFront & 15) << 4 | verticalSync & 15),
      low((horizontalFront >> 8) << 6 | (horizontalSync >> 8) << 4 | (verticalFront >> 4) << 2 | verticalSync >> 4),
      low(across), low(down), low((across >> 8) << 4 | down >> 8),
      0, 0,
      // Digital separate sync, horizontal positive, vertical negative, which marks reduced blanking.
      0x1A,
    ]
  }

  /// Parses a detailed timing descriptor; nil for other descriptors and interlaced timings.
  init?(descriptor bytes: ArraySlice<UInt8>) {
    guard bytes.count == 18 else { return nil }
    let d = bytes.map { Int($0) }
    guard d[0] | d[1] != 0, d[17] & 0x80 == 0 else { return nil }
    self.init(
      pixelClock10Kilohertz: d[0] | d[1] << 8,
      width: d[2] | (d[4] >> 4) << 8, horizontalBlank: d[3] | (d[4] & 15) << 8,
      horizontalFront: d[8] | (d[11] >> 6) << 8, horizontalSync: d[9] | ((d[11] >> 4) & 3) << 8,
      height: d[5] | (d[7] >> 4) << 8, verticalBlank: d[6] | (d[7] & 15) << 8,
      verticalFront: d[10] >> 4 | ((d[11] >> 2) & 3) << 4, verticalSync: d[10] & 15 | (d[11] & 3) << 4)
    guard width > 0, height > 0 else { return nil }
  }

  /// The 20 bytes of a DisplayID type I detailed timing (DisplayID 1.3, 4.4.1), marked as the preferred one.
  var displayIDTypeI: [UInt8] {
    let clock = pixelClock10Kilohertz - 1
    let fields: [Int] = [
      width - 1, horizontalBlank - 1, horizontalFront - 1 | 0x8000, horizontalSync - 1,
      height - 1, verticalBlank - 1, verticalFront - 1, verticalSync - 1,
    ]
    var bytes = [low(clock), low(clock >> 8), low(clock >> 16), 0x80 | displayIDAspect]
    for field in fields { bytes += [low(field), low(field >> 8)] }
    return bytes
  }

  /// The aspect ratio code of type I timings; 8 means undefined.
  private var displayIDAspect: UInt8 {
    let ratios = [(1, 1), (5, 4), (4, 3), (15, 9), (16, 9), (16, 10), (64, 27), (256, 135)]
    for (code, ratio) in ratios.enumerated() where width * ratio.1 == height * ratio.0 { return UInt8(code) }
    return 8
  }

  /// Parses a type I timing; nil if it is interlaced.
  init?(displayIDTypeI bytes: ArraySlice<UInt8>) {
    guard bytes.count == 20 else { return nil }
    let d = bytes.map { Int($0) }
    guard d[3] & 0x10 == 0 else { return nil }
    func field(_ index: Int) -> Int { (d[4 + index * 2] | (d[5 + index * 2] & 0x7F) << 8) + 1 }
    self.init(
      pixelClock10Kilohertz: (d[0] | d[1] << 8 | d[2] << 16) + 1,
      width: field(0), horizontalBlank: field(1), horizontalFront: field(2), horizontalSync: field(3),
      height: field(4), verticalBlank: field(5), verticalFront: field(6), verticalSync: field(7))
  }
}

/// The lowest eight bits.
private func low(_ value: Int) -> UInt8 { UInt8(truncatingIfNeeded: value) }
