/// A test picture that identifies its frame: a known function of frame and pixel, so that a pixel of another frame is
/// noticed.
///
/// The upper 16 rows hold the frame's number in 32 blocks, white for 1, least significant bit first. Below, each pixel
/// mixes its position with the frame's number.
enum Pattern {
  static let numberRows = 16

  /// XRGB8888.
  @inlinable static func pixel(x: Int, y: Int, width: Int, frame: UInt32) -> UInt32 {
    if y < numberRows {
      let block = x * 32 / max(width, 1)
      return frame >> UInt32(block) & 1 == 1 ? 0x00FF_FFFF : 0
    }
    return row(y: y, frame: frame) ^ UInt32(truncatingIfNeeded: x) &* 0x0001_0203 & 0x00FF_FFFF
  }

  /// The part of the function that is common to a row.
  @inlinable static func row(y: Int, frame: UInt32) -> UInt32 {
    (UInt32(truncatingIfNeeded: y) &* 0x9E37_79B1 ^ frame &* 0x85EB_CA6B) >> 8 & 0x00FF_FFFF
  }

  /// Draws these rows of the picture.
  static func draw(
    _ pixels: UnsafeMutableRawBufferPointer, width: Int, rows: Range<Int>, strideBytes: Int, frame: UInt32
  ) {
    for y in rows {
      guard let base = pixels.baseAddress, (y + 1) * strideBytes <= pixels.count, width * 4 <= strideBytes else {
        return
      }
      // SAFETY: the row is inside the buffer, as checked above.
      let line = unsafe (base + y * strideBytes).assumingMemoryBound(to: UInt32.self)
      if y < numberRows {
        for x in 0..<width { unsafe line[x] = pixel(x: x, y: y, width: width, frame: frame).littleEndian }
      } else {
        let common = row(y: y, frame: frame)
        for x in 0..<width {
          unsafe line[x] = (common ^ UInt32(truncatingIfNeeded: x) &* 0x0001_0203 & 0x00FF_FFFF).littleEndian
        }
      }
    }
  }
}
