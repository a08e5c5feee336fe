import LinuxIO
import TestSupport

/// The kernel's CRC of the first CRTC's picture, as vkms computes it: an independent judge.
enum FrameCRC {
  /// Whether the kernel eventually reports this CRC, and then no other one.
  ///
  /// A slow composer, as with large pictures in an emulator, is some frames behind, and reports one frame's CRC for all
  /// frames that passed meanwhile.
  static func settles(on wanted: UInt32) throws -> Bool {
    let crcs = try FrameCRCs()
    let deadline = monotonicNanoseconds() + 60_000_000_000
    var isSeen = false
    while monotonicNanoseconds() < deadline {
      try LabHost.pause(milliseconds: 50)
      let said = crcs.drain().map(\.crc)
      if isSeen && !said.isEmpty { return said.allSatisfy { $0 == wanted } }
      isSeen = isSeen || said.last == wanted
    }
    return false
  }

  /// The CRC by vkms of a frame of one grey.
  static func ofUniformFrame(grey: UInt8, width: Int, height: Int) -> UInt32 {
    ofUniformFrame(colour: UInt32(grey) * 0x1_0101, width: width, height: height)
  }

  /// The CRC by vkms of a frame of one colour, 0xRRGGBB: CRC-32 without its two inversions over 16-bit alpha, red, green
  /// and blue.
  static func ofUniformFrame(colour: UInt32, width: Int, height: Int) -> UInt32 {
    let (red, green, blue) = (UInt8(colour >> 16 & 255), UInt8(colour >> 8 & 255), UInt8(colour & 255))
    var pixel = Step.identity
    for byte in [0xFF, 0xFF, red, red, green, green, blue, blue] { pixel = pixel.then(Step(byte: byte)) }
    return pixel.repeated(width * height).apply(0)
  }

  /// The CRCs of frames of these colours. A CRC is affine in the bits of the colour.
  static func ofUniformFrames(_ colours: [UInt32], width: Int, height: Int) -> Set<UInt32> {
    let black = ofUniformFrame(colour: 0, width: width, height: height)
    let changes = (0..<24).map { black ^ ofUniformFrame(colour: 1 << $0, width: width, height: height) }
    return Set(
      colours.map { colour in changes.indices.reduce(black) { colour >> $1 & 1 == 1 ? $0 ^ changes[$1] : $0 } })
  }

  /// The effect of bytes on a CRC: a linear map over its bits and a constant, so that many pixels cost few steps.
  private struct Step {
    /// Images of the 32 single bits.
    var columns: [UInt32]
    var constant: UInt32

    static let identity = Step(columns: (0..<32).map { 1 << UInt32($0) }, constant: 0)

    init(columns: [UInt32], constant: UInt32) {
      self.columns = columns
      self.constant = constant
    }

    init(byte: UInt8) {
      let zero = Step.crc(0, 0)
      columns = (0..<32).map { Step.crc(1 << UInt32($0), 0) ^ zero }
      constant = Step.crc(0, byte)
    }

    /// CRC-32 of the kernel's `crc32_le`, bit by bit.
    private static func crc(_ value: UInt32, _ byte: UInt8) -> UInt32 {
      var value = value ^ UInt32(byte)
      for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
      return value
    }

    private func linear(_ value: UInt32) -> UInt32 {
      var result: UInt32 = 0
      for bit in 0..<32 where value >> UInt32(bit) & 1 == 1 { result ^= columns[bit] }
      return result
    }

    func apply(_ value: UInt32) -> UInt32 { linear(value) ^ constant }

    /// This, and then `next`.
    func then(_ next: Step) -> Step { Step(columns: columns.map(next.linear), constant: next.apply(constant)) }

    func repeated(_ count: Int) -> Step {
      var (result, power, rest) = (Step.identity, self, count)
      while rest > 0 {
        if rest & 1 == 1 { result = result.then(power) }
        power = power.then(power)
        rest >>= 1
      }
      return result
    }
  }
}
