/// Extended display identification data: what a monitor says of itself (VESA E-EDID 1.4).
public enum EDID {
  /// Bytes of a block.
  public static let blockByteCount = 128

  /// What a generated monitor is to be.
  public struct Description: Equatable, Sendable {
    /// The one mode that it prefers.
    public var mode: DisplayMode
    /// The monitor's name; the first 13 printable ASCII characters are used.
    public var name: String
    /// Tells monitors of the same name apart.
    public var serial: UInt32
    /// Physical size in millimetres; 0 takes a size of 96 pixels per inch.
    public var widthMillimetres: Int
    /// Physical size in millimetres; 0 takes a size of 96 pixels per inch.
    public var heightMillimetres: Int

    /// A monitor of that mode.
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
  /// One block where an EDID 1.4 detailed timing can hold the mode (4095 pixels, 655.35 MHz). For larger or faster modes
  /// a DisplayID extension block holds the preferred timing, and the base block a mode of the same shape that fits.
  public static func generate(_ description: Description) -> [UInt8] {
    let timing = VideoTiming(description.mode)
    let needsExtension = !timing.fitsDescriptor
    let base = needsExtension ? fallback(for: timing) : timing
    let size = physicalSize(description, timing: timing)

    var block: [UInt8] = [0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]
    block += manufacturer
    block += [0x01, 0x00]
    block += littleEndian(description.serial)
    // Made in 1990 + 35 (a fixed year: the same monitor has the same EDID for ever), EDID 1.4.
    block += [0, 35, 1, 4]
    // Digital, 8 bits a colour, no particular plug; size in cm; gamma 2.2; sRGB, preferred timing is the native one.
    block += [0xA0, UInt8(size.width / 10), UInt8(size.height / 10), 120, 0x06]
    block += sRGBChromaticity
    // Established timings: 640x480, 800x600 and 1024x768 at 60 Hz, those that are no larger than the monitor.
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

  /// The largest mode of about the same shape, at 60 Hz or slower, that a detailed timing descriptor holds.
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

  /// Millimetres, at most what the base block's centimetre bytes can say.
  private static func physicalSize(_ description: Description, timing: VideoTiming) -> (width: Int, height: Int) {
    var width = description.widthMillimetres
    var height = description.heightMillimetres
    if width <= 0 || height <= 0 {
      // 25.4 mm an inch, 96 pixels an inch.
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

  /// Thirteen characters, ended by a line feed and padded with spaces where shorter.
  private static func textDescriptor(tag: UInt8, _ text: String) -> [UInt8] {
    var characters = text.utf8.filter { (0x20...0x7E).contains($0) }.prefix(13)
    while characters.last == 0x20 { characters.removeLast() }
    var bytes: [UInt8] = [0, 0, 0, tag, 0] + (characters.isEmpty ? Array("Framepath".utf8) : Array(characters))
    if bytes.count < 18 { bytes.append(0x0A) }
    while bytes.count < 18 { bytes.append(0x20) }
    return bytes
  }

  /// Display range limits around all timings, or nil where the descriptor's fields are too small for them.
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

  /// An extension block (tag 0x70) with a DisplayID 1.3 section: what the display is, and one preferred timing.
  private static func displayIDBlock(
    _ timing: VideoTiming, serial: UInt32, size: (width: Int, height: Int)
  ) -> [UInt8] {
    // Product identification: vendor, product 1, serial number, made in 2000 + 25, no name.
    var blocks: [UInt8] = [0x00, 0x00, 12] + Array("FPH".utf8) + [0x01, 0x00]
    blocks += littleEndian(serial) + [0, 25, 0]
    // Display parameters: tenths of a millimetre, pixels, gamma 2.2, aspect ratio less 1 in hundredths, 8 bits a colour.
    blocks += [0x01, 0x00, 12]
    for number in [size.width * 10, size.height * 10, timing.width, timing.height] {
      blocks += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
    }
    let longer = max(timing.width, timing.height)
    let shorter = min(timing.width, timing.height)
    blocks += [0x00, 120, UInt8(clamping: (longer * 100 + shorter / 2) / shorter - 100), 0x77]
    // Interface: DisplayPort 1.2 of four lanes, RGB of 8 bits a colour, no content protection.
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

  /// The byte that makes the sum of a block 0 modulo 256.
  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt8 { 0 &- bytes.reduce(0, &+) }
}
