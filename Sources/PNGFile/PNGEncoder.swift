import CPNG
public import GraphicsMemory
import Scanout

/// An error of libpng.
public struct PNGError: Error, Equatable, Sendable, CustomStringConvertible {
  /// libpng's message.
  public let description: String
}

/// Encodes pictures as PNG files.
public enum PNGEncoder {
  /// The picture as the bytes of a PNG file, 8-bit RGB without alpha.
  public static func encode(_ buffer: MappedBuffer) throws(PNGError) -> [UInt8] {
    let layout = buffer.layout
    guard buffer.pixelByteCount >= layout.byteCount - layout.offset else {
      throw PNGError(description: "the picture is larger than its memory")
    }
    let rgb = rows(of: buffer)
    var image = unsafe png_image()
    unsafe image.version = UInt32(PNG_IMAGE_VERSION)
    unsafe image.width = UInt32(layout.width)
    unsafe image.height = UInt32(layout.height)
    unsafe image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    // Enough for an incompressible picture: zlib's blocks add 5 bytes per 16 KiB.
    let room = rgb.count + rgb.count / 1000 + layout.height + 4096
    var byteCount = png_alloc_size_t(room)
    var succeeded = false
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { memory, filled in
      succeeded = unsafe png_image_write_to_memory(&image, memory.baseAddress, &byteCount, 0, rgb, 0, nil) != 0
      filled = succeeded ? Int(byteCount) : 0
    }
    guard succeeded else {
      let words = unsafe withUnsafeBytes(of: &image.message) { message in
        unsafe String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw PNGError(description: words)
    }
    return bytes
  }

  /// The pixels as packed red, green and blue bytes.
  private static func rows(of buffer: MappedBuffer) -> [UInt8] {
    let layout = buffer.layout
    let shifts = layout.format.shifts
    let byteCount = layout.width * layout.height * 3
    buffer.beginAccess(read: true)
    defer { buffer.endAccess(read: true) }
    return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { rgb, filled in
      var target = 0
      for y in 0..<layout.height {
        for x in 0..<layout.width {
          // SAFETY: the caller has checked that the memory holds the whole layout.
          let pixel = unsafe buffer.pixels.loadUnaligned(
            fromByteOffset: y * layout.strideBytes + x * 4, as: UInt32.self)
          unsafe rgb[target] = UInt8(truncatingIfNeeded: pixel >> shifts.red)
          unsafe rgb[target + 1] = UInt8(truncatingIfNeeded: pixel >> shifts.green)
          unsafe rgb[target + 2] = UInt8(truncatingIfNeeded: pixel >> shifts.blue)
          target += 3
        }
      }
      filled = target
    }
  }
}
