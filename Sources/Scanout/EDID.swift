/// Extended display identification data (VESA E-EDID 1.4): a monitor's description of itself.
public enum EDID {
  /// Bytes per block.
  public static let blockByteCount = 128

  /// The monitor to describe in a generated EDID.
  public struct Description: Equatable, Sendable {
    /// The monitor's only mode, and its preferred one.
    public var mode: DisplayMode
    /// The monitor's name; the first 13 printable ASCII characters are used.
    public var name: String
    /// Distinguishes monitors of the same name.
    public var serial: UInt32
    /// Physical width in millimetres; 0 assumes 96 pixels per inch.
    public var widthMillimetres: Int
    /// Physical height in millimetres; 0 assumes 96 pixels per inch.
    public var heightMillimetres: Int

    /// A description of a monitor with that mode.
    public init(
      mode: DisplayMode, name: String, serial: UInt32, widthMillimetres: Int = 0, heightMillimetres: Int = 0
    ) {
      self.mode = mode
      self.name = name
      self.serial = serial
      self.widthMillimetres = widthMillimetres
      self.heightMillimetres = heightMillimetres
    }
  }

  /// A valid EDID that prefers the description's mode.
  ///
  /// A mode that fits an EDID 1.4 detailed timing (4095 pixels, 655.35 MHz) takes one block. For a larger or faster
  /// mode a DisplayID extension block has the preferred timing, and the base block has a mode of the same aspect that
  /// fits.
  public static func generate(_ description: Description) -> [UInt8] {
    let timing = VideoTiming(description.mode)
    let needsExtension = !timing.fitsDescriptor
    let base = needsExtension ? fallback(for: timing) : timing
    let size = physicalSize(description, timing: timing)

    var block: [UInt8] = [0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]
    block += manufacturer
    block += [0x01, 0x00]
    block += littleEndian(description.serial)
    // EDID 1.4, made in 2025: the year is fixed so that the same monitor always has the same EDID.
    block += [0, 35, 1, 4]
    // Digital input, 8 bits per colour, interface undefined; size in cm; gamma 2.2; sRGB, preferred timing is the
    // native one.
    block += [0xA0, UInt8(size.width / 10), UInt8(size.height / 10), 120, 0x06]
    block += sRGBChromaticity
    // The established timings that fit the monitor: 640x480, 800x600 and 1024x768 at 60 Hz.
    block += establishedTimings(width: timing.width, height: timing.height)
    // No standard timings.
    block += [UInt8](repeating: 0x01, count: 16)
    block += base.descriptor(widthMillimetres: size.width, heightMillimetres: size.height)
    block += textDescriptor(tag: 0xFC, description.name)
    block += rangeDescriptor(timings: [base, timing]) ?? dummyDescriptor
    block += textDescriptor(tag: 0xFF, "FP\(description.serial)")
    block.append(needsExtension ? 1 : 0)
    block.append(checksum(block))
    return needsExtension ? block + displayIDBlock(timing, serial: description.serial, size: size) : block
  }

  /// The PNP id FPH, in three five-bit letters.
  private static let manufacturer: [UInt8] = [0x1A, 0x08]
  private static let sRGBChromaticity: [UInt8] = [0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54]
  private static let dummyDescriptor: [UInt8] = [0, 0, 0, 0x10, 0] + [UInt8](repeating: 0, count: 13)

  /// The largest mode of about the same aspect, at 60 Hz or less, that fits a detailed timing descriptor.
  private static func fallback(for timing: VideoTiming) -> VideoTiming {
    var width = timing.width
    var height = timing.height
    while width > 4095 || height > 4095 {
      width /= 2
      height /= 2
    }
    var rate = min(timing.refreshMillihertz, 60_000)
    while true {
      let candidate = VideoTiming(
        DisplayMode(width: max(width, 1), height: max(height, 1), refreshMillihertz: max(rate, 1000)))
      if candidate.fitsDescriptor || rate <= 1000 { return candidate }
      rate /= 2
    }
  }

  /// The size in millimetres, limited to what the base block's centimetre bytes can hold.
  private static func physicalSize(_ description: Description, timing: VideoTiming) -> (width: Int, height: Int) {
    var width = description.widthMillimetres
    var height = description.heightMillimetres
    if width <= 0 || height <= 0 {
      // 25.4 mm per inch, 96 pixels per inch.
      width = timing.width * 254 / 960
      height = timing.height * 254 / 960
    }
    let largest = max(width, height)
    if largest > 2550 {
      width = width * 2550 / largest
      height = height * 2550 / largest
    }
    return (max(width, 10), max(height, 10))
  }

  private static func establishedTimings(width: Int, height: Int) -> [UInt8] {
    var bytes: [UInt8] = [0, 0, 0]
    if width >= 640 && height >= 480 { bytes[0] |= 0x20 }
    if width >= 800 && height >= 600 { bytes[0] |= 0x01 }
    if width >= 1024 && height >= 768 { bytes[1] |= 0x08 }
    return bytes
  }

  /// Thirteen characters; shorter texts end with a line feed and are padded with spaces.
  private static func textDescriptor(tag: UInt8, _ text: String) -> [UInt8] {
    var characters = text.utf8.filter { (0x20...0x7E).contains($0) }.prefix(13)
    while characters.last == 0x20 { characters.removeLast() }
    var bytes: [UInt8] = [0, 0, 0, tag, 0] + (characters.isEmpty ? Array("Framepath".utf8) : Array(characters))
    if bytes.count < 18 { bytes.append(0x0A) }
    while bytes.count < 18 { bytes.append(0x20) }
    return bytes
  }

  /// Display range limits around all timings, or nil if the descriptor's fields are too small for them.
  private static func rangeDescriptor(timings: [VideoTiming]) -> [UInt8]? {
    // The established timings run at 60 Hz and 31.469 to 48.363 kHz.
    var minRate = 59
    var maxRate = 61
    var minLine = 30
    var maxLine = 49
    var maxClock = 7
    for timing in timings {
      minRate = min(minRate, timing.refreshMillihertz / 1000)
      maxRate = max(maxRate, timing.refreshMillihertz / 1000 + 1)
      minLine = min(minLine, timing.lineRateHertz / 1000)
      maxLine = max(maxLine, timing.lineRateHertz / 1000 + 1)
      maxClock = max(maxClock, timing.pixelClock10Kilohertz / 1000 + 1)
    }
    guard maxRate <= 510, maxLine <= 510, maxClock <= 255, minRate > 0, minLine > 0, minRate <= 255, minLine <= 255
    else { return nil }
    let offsets = UInt8((maxLine > 255 ? 0x08 : 0) | (maxRate > 255 ? 0x02 : 0))
    return [
      0, 0, 0, 0xFD, offsets,
      UInt8(minRate), UInt8(maxRate > 255 ? maxRate - 255 : maxRate),
      UInt8(minLine), UInt8(maxLine > 255 ? maxLine - 255 : maxLine),
      UInt8(maxClock),
      // Range limits only, no formula.
      0x01, 0x0A, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
    ]
  }

  /// A DisplayID 1.3 section in an extension block (tag 0x70): product, display parameters and one preferred timing.
  private static func displayIDBlock(
    _ timing: VideoTiming, serial: UInt32, size: (width: Int, height: Int)
  ) -> [UInt8] {
    // Product identification: vendor, product 1, serial number, made in 2025, no name.
    var blocks: [UInt8] = [0x00, 0x00, 12] + Array("FPH".utf8) + [0x01, 0x00]
    blocks += littleEndian(serial) + [0, 25, 0]
    // Display parameters: tenths of a millimetre, pixels, gamma 2.2, aspect ratio minus 1 in hundredths, 8 bits per
    // colour.
    blocks += [0x01, 0x00, 12]
    for number in [size.width * 10, size.height * 10, timing.width, timing.height] {
      blocks += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
    }
    let longer = max(timing.width, timing.height)
    let shorter = min(timing.width, timing.height)
    blocks += [0x00, 120, UInt8(clamping: (longer * 100 + shorter / 2) / shorter - 100), 0x77]
    // Display interface: DisplayPort 1.2 with four lanes, RGB of 8 bits per colour, no content protection.
    blocks += [0x0F, 0x00, 10, 0xA4, 0x12, 0x02, 0, 0, 0, 0, 0, 0, 0]
    blocks += [0x03, 0x00, 20] + timing.displayIDTypeI
    // Product type 3: a desktop display.
    var section: [UInt8] = [0x13, UInt8(blocks.count), 3, 0] + blocks
    section.append(checksum(section))
    var block: [UInt8] = [0x70] + section
    block += [UInt8](repeating: 0, count: blockByteCount - 1 - block.count)
    block.append(checksum(block))
    return block
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// The byte that makes a block's sum 0 modulo 256.
  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt8 { 0 &- bytes.reduce(0, &+) }
}
