import CPNG
import GraphicsMemory
import LinuxIO
import Scanout
import Testing

@testable import PNGFile

@Suite("PNG files")
struct PNGEncoderTests {
  /// A picture in memory: pixels from `pixel`, and 16 bytes of 0xEE after each row.
  private func picture(
    _ width: Int, _ height: Int, _ format: PixelFormat, _ pixel: (Int, Int) -> UInt32
  ) throws -> MappedBuffer {
    let layout = try #require(
      FrameLayout(width: width, height: height, strideBytes: width * 4 + 16, offset: 64, format: format))
    let memory = try MemFD.create(name: "picture", byteCount: layout.byteCount + 64)
    let buffer = try MappedBuffer(
      fd: SharedFD(memory), kind: .memfd, layout: layout, byteCount: layout.byteCount + 64)
    for y in 0..<height {
      for x in 0..<width + 4 {
        let value = x < width ? pixel(x, y) : 0xEEEE_EEEE
        buffer.pixels.storeBytes(of: value, toByteOffset: y * layout.strideBytes + x * 4, as: UInt32.self)
      }
    }
    return buffer
  }

  private func decoded(_ png: [UInt8]) throws -> (width: Int, height: Int, rgba: [UInt8]) {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    try #require(png_image_begin_read_from_memory(&image, png, png.count) != 0)
    let hasAlpha = image.format & UInt32(PNG_FORMAT_FLAG_ALPHA) != 0
    #expect(!hasAlpha)
    image.format = UInt32(PNG_FORMAT_FLAG_COLOR) | UInt32(PNG_FORMAT_FLAG_ALPHA)
    var rgba = [UInt8](repeating: 0, count: Int(image.width) * Int(image.height) * 4)
    try #require(png_image_finish_read(&image, nil, &rgba, 0, nil) != 0)
    return (Int(image.width), Int(image.height), rgba)
  }

  @Test(arguments: PixelFormat.allCases)
  func `a PNG holds the pixels of every format without padding and alpha`(format: PixelFormat) throws {
    let shifts = format.shifts
    let buffer = try picture(3, 2, format) { x, y in
      UInt32(10 + x) << shifts.red | UInt32(20 + y) << shifts.green | 0x7F << shifts.blue
    }
    let picture = try decoded(try PNGEncoder.encode(buffer))
    #expect(picture.width == 3)
    #expect(picture.height == 2)
    #expect(
      picture.rgba == [
        10, 20, 127, 255, 11, 20, 127, 255, 12, 20, 127, 255,  //
        10, 21, 127, 255, 11, 21, 127, 255, 12, 21, 127, 255,
      ])
  }

  /// A picture of pseudo-random pixels, which does not compress.
  private func noise(_ width: Int, _ height: Int) throws -> MappedBuffer {
    var state: UInt32 = 1
    return try picture(width, height, .xrgb8888) { _, _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return state >> 8 | state << 24
    }
  }

  @Test(arguments: [(257, 129), (1919, 1079), (16384, 160), (113, 16384)])
  func `a PNG can hold an incompressible picture of any size`(width: Int, height: Int) throws {
    let buffer = try noise(width, height)
    let picture = try decoded(try PNGEncoder.encode(buffer))
    #expect((picture.width, picture.height) == (width, height))
    for (x, y) in [(0, 0), (width / 2, height / 2), (width - 1, height - 1)] {
      let pixel = buffer.pixels.loadUnaligned(fromByteOffset: y * (width * 4 + 16) + x * 4, as: UInt32.self)
      #expect(
        Array(picture.rgba[(y * width + x) * 4..<(y * width + x + 1) * 4])
          == [UInt8(pixel >> 16 & 0xFF), UInt8(pixel >> 8 & 0xFF), UInt8(pixel & 0xFF), 255])
    }
  }

  @Test func `a picture that libpng cannot encode is refused with its size and a reason`() throws {
    let buffer = try noise(64, 32)
    let error = #expect(throws: PNGError.self) { try PNGEncoder.encode(buffer, room: 4000) }
    let text = try #require(error).description
    let needed = try PNGEncoder.encode(buffer).count
    #expect(text == "a PNG of 64x32 pixels: \(needed) bytes do not fit into 4000")
  }
}
