import CPNG
public import GraphicsMemory
import Scanout

/// Why a picture could not be encoded; the text names the picture's size.
public struct PNGError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A message for the user; never empty.
  public let description: String
}

/// Encodes pictures as PNG files.
public enum PNGEncoder {
  /// The picture as the bytes of a PNG file, 8-bit RGB without alpha.
  public static func encode(_ buffer: MappedBuffer) throws(PNGError) -> [UInt8] {
    let image = unsafe image(of: buffer.layout)
    return try encode(buffer, room: Int(unsafe cpng_image_size_max(image)))
  }

  /// Encodes a picture into at most `room` bytes.
  static func encode(_ buffer: MappedBuffer, room: Int) throws(PNGError) -> [UInt8] {
    let layout = buffer.layout
    let what = "a PNG of \(layout.width)x\(layout.height) pixels"
    guard buffer.pixelByteCount >= layout.byteCount - layout.offset else {
      throw PNGError(
        description: "\(what): its \(buffer.pixelByteCount) bytes of memory are less than the picture's "
          + "\(layout.byteCount - layout.offset)")
    }
    let rgb = rows(of: buffer)
    var image = unsafe image(of: layout)
    var byteCount = png_alloc_size_t(room)
    var succeeded = false
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { memory, filled in
      succeeded = unsafe png_image_write_to_memory(&image, memory.baseAddress, &byteCount, 0, rgb, 0, nil) != 0
      filled = succeeded ? Int(byteCount) : 0
    }
    if succeeded { return bytes }
    let words = unsafe withUnsafeBytes(of: &image.message) { message in
      unsafe String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
    }
    // libpng has no message for too little memory.
    throw PNGError(description: "\(what): " + (words.isEmpty ? "\(byteCount) bytes do not fit into \(room)" : words))
  }

  private static func image(of layout: FrameLayout) -> png_image {
    var image = unsafe png_image()
    unsafe image.version = UInt32(PNG_IMAGE_VERSION)
    unsafe image.width = UInt32(layout.width)
    unsafe image.height = UInt32(layout.height)
    unsafe image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    return unsafe image
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
