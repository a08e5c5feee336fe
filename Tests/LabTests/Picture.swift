import CPNG
import GraphicsMemory
import LinuxIO

/// A picture of 0x00RRGGBB pixels, row by row.
struct Picture: Equatable {
  var width: Int
  var height: Int
  var pixels: [UInt32]

  subscript(x: Int, y: Int) -> UInt32 { pixels[y * width + x] }

  /// Reads a PNG file.
  init(png path: String) throws {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    guard png_image_begin_read_from_file(&image, path) != 0 else { throw PictureError("\(path) is no PNG file") }
    // B, G, R, A in memory: a little-endian 0xAARRGGBB word.
    image.format = UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_BGR)
    width = Int(image.width)
    height = Int(image.height)
    pixels = [UInt32](repeating: 0, count: width * height)
    let result = pixels.withUnsafeMutableBytes { png_image_finish_read(&image, nil, $0.baseAddress, 0, nil) }
    guard result != 0 else { throw PictureError("\(path) cannot be decoded") }
    keepColours()
  }

  /// Copies what a snapshot holds: XRGB8888.
  init(_ mapped: MappedBuffer) {
    let layout = mapped.layout
    (width, height) = (layout.width, layout.height)
    pixels = [UInt32](unsafeUninitializedCapacity: layout.width * layout.height) { memory, count in
      mapped.beginAccess(read: true)
      for y in 0..<layout.height {
        guard let row = memory.baseAddress else { break }
        UnsafeMutableRawPointer(row + y * layout.width)
          .copyMemory(from: mapped.pixels + y * layout.strideBytes, byteCount: layout.width * 4)
      }
      mapped.endAccess(read: true)
      count = layout.width * layout.height
    }
    keepColours()
  }

  init(width: Int, height: Int, pixels: [UInt32]) {
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Computes every pixel. Uses plain loops over plain memory: tests are debug builds and also run in emulated
  /// machines, where a loop over a range and an array takes twenty times as long.
  init(width: Int, height: Int, pixel: (_ x: UInt32, _ y: UInt32) -> UInt32) {
    self.width = width
    self.height = height
    pixels = [UInt32](unsafeUninitializedCapacity: width * height) { memory, count in
      guard var next = memory.baseAddress else { return }
      var y: UInt32 = 0
      while y < UInt32(height) {
        var x: UInt32 = 0
        while x < UInt32(width) {
          next.initialize(to: pixel(x, y))
          next += 1
          x += 1
        }
        y += 1
      }
      count = width * height
    }
  }

  /// Puts another picture into this one, within its bounds.
  mutating func put(_ other: Picture, x left: Int, y top: Int) {
    precondition(left >= 0 && top >= 0 && left + other.width <= width && top + other.height <= height)
    pixels.withUnsafeMutableBytes { target in
      other.pixels.withUnsafeBytes { source in
        for y in 0..<other.height {
          UnsafeMutableRawBufferPointer(rebasing: target[((top + y) * width + left) * 4..<target.count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[y * other.width * 4..<(y + 1) * other.width * 4]))
        }
      }
    }
  }

  /// Clears the fourth byte.
  private mutating func keepColours() {
    pixels.withUnsafeMutableBufferPointer { memory in
      guard let first = memory.baseAddress else { return }
      var index = 0
      while index < memory.count {
        first[index] &= 0xFF_FFFF
        index += 1
      }
    }
  }

  /// A description of the first difference from another picture; nil if they are equal.
  func difference(from other: Picture) -> String? {
    if width != other.width || height != other.height {
      return "\(width)x\(height) instead of \(other.width)x\(other.height)"
    }
    if pixels == other.pixels { return nil }
    let wrong = pixels.indices.filter { pixels[$0] != other.pixels[$0] }
    guard let first = wrong.first else { return nil }
    let found = String(pixels[first], radix: 16)
    let wanted = String(other.pixels[first], radix: 16)
    return "\(wrong.count) pixels differ; the first at (\(first % width), \(first / width)) is \(found), not \(wanted)"
  }
}

struct PictureError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The pictures that `fpdraw` draws in a guest, computed independently. Its source has the formulas.
extension Picture {
  static func solid(_ colour: UInt32, width: Int, height: Int) -> Picture {
    Picture(width: width, height: height, pixels: [UInt32](repeating: colour, count: width * height))
  }

  static func gradient(width: Int, height: Int) -> Picture {
    Picture(width: width, height: height) { x, y in
      let red = width > 1 ? x * 255 / UInt32(width - 1) : 0
      let green = height > 1 ? y * 255 / UInt32(height - 1) : 0
      return red << 16 | green << 8 | ((x ^ y) & 255)
    }
  }

  static func noise(width: Int, height: Int, seed: UInt32) -> Picture {
    Picture(width: width, height: height) { x, y in hash(x, y, seed) & 0xFF_FFFF }
  }

  /// The uniform colour of frame `number` of `fpdraw flip`.
  static func frameColour(_ number: UInt32) -> UInt32 { (number &* 0x9E_3779 &+ 0x1F_2E3D) & 0xFF_FFFF }

  /// The number of the frame with this colour; nil if it is none.
  static func frameNumber(_ colour: UInt32) -> UInt32? {
    // The inverse of the factor above, modulo 2^24.
    colour <= 0xFF_FFFF ? (colour &- 0x1F_2E3D) &* 0xB3_82C9 & 0xFF_FFFF : nil
  }

  /// The rectangles that `fpdraw damage` draws over a picture.
  mutating func paintDamage(count: UInt32, seed: UInt32) {
    for index in 0..<count {
      let rectWidth = 1 + Int(Picture.hash(index, 0, seed)) % min(64, width)
      let rectHeight = 1 + Int(Picture.hash(index, 1, seed)) % min(64, height)
      let left = Int(Picture.hash(index, 2, seed)) % (width - rectWidth + 1)
      let top = Int(Picture.hash(index, 3, seed)) % (height - rectHeight + 1)
      let colour = Picture.hash(index, 4, seed) & 0xFF_FFFF
      for y in top..<top + rectHeight { for x in left..<left + rectWidth { pixels[y * width + x] = colour } }
    }
  }

  /// The cursor that `fpdraw cursor` shows over a picture with its corner at (x, y).
  mutating func paintCursor(x left: Int, y top: Int, seed: UInt32) {
    for y in 0..<64 {
      for x in 0..<64 where ((x >> 3) ^ (y >> 3)) & 1 == 1 {
        let (column, row) = (left + x, top + y)
        guard (0..<width).contains(column), (0..<height).contains(row) else { continue }
        pixels[row * width + column] = UInt32(x * 4) << 16 | UInt32(y * 4) << 8 | (seed & 255)
      }
    }
  }

  private static func hash(_ x: UInt32, _ y: UInt32, _ seed: UInt32) -> UInt32 {
    var value = (x &* 0x9E37_79B1) ^ (y &* 0x85EB_CA77) ^ (seed &* 0xC2B2_AE3D)
    value ^= value >> 15
    value = value &* 0x2C1B_3C6D
    value ^= value >> 12
    value = value &* 0x297A_2D39
    return value ^ value >> 15
  }
}
