import Scanout

/// A checksum of a picture's colours: FNV-1a over its pixels, row by row, without their unused byte.
struct PictureChecksum: Equatable {
  private var hash = FNV1a()

  /// Adds pixels of 4 bytes; the fourth byte of each is ignored.
  ///
  /// - Parameter bytes: whole pixels.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var sum = hash
    for offset in stride(from: 0, to: bytes.count - 3, by: 4) {
      let pixel = unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      sum.add(UInt64(pixel & 0xFFFFFF))
    }
    hash = sum
  }

  /// Adds the pixels of rows that lie `strideBytes` apart.
  mutating func addRows(_ base: UnsafeRawPointer, width: Int, height: Int, strideBytes: Int) {
    for row in 0..<height {
      unsafe add(UnsafeRawBufferPointer(start: base + row * strideBytes, count: width * 4))
    }
  }

  /// 16 hexadecimal digits.
  var text: String {
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
