import Scanout
import Testing

@Suite("Sizes, rates and byte counts as texts")
struct ValueTextTests {
  @Test func `a size is two whole numbers with an x between them`() {
    #expect(PixelSize("1920x1080") == PixelSize(width: 1920, height: 1080))
    #expect(PixelSize("1x16384") == PixelSize(width: 1, height: 16_384))
    #expect(PixelSize("640x480")?.description == "640x480")
    #expect(PixelSize("0x0", in: 0...9) == PixelSize(width: 0, height: 0))
  }

  @Test(arguments: [
    "", "x", "640", "640x", "x480", "640x480x1", "640X480", "0x480", "640x16385", "-1x5", "+1x5", " 1x5", "1x5 ",
    "99999999999999999999x1", "١x٢",
  ])
  func `a text of another form, or out of range, is not a size`(_ text: String) { #expect(PixelSize(text) == nil) }

  @Test(arguments: [
    ("60", 60_000), ("60Hz", 60_000), ("59.94", 59_940), ("59.9402Hz", 59_940), ("59.9395", 59_940), ("0.5", 500),
    ("143.9999", 144_000), ("1000000", 1_000_000_000),
  ])
  func `a rate is hertz with or without the unit, rounded to a millihertz`(_ text: String, _ millihertz: Int) {
    #expect(RefreshRate(text)?.millihertz == millihertz)
  }

  @Test(arguments: ["", "Hz", ".", "60.", ".5", "-60", "6e1", "60 Hz", "60hz", "60.x", "1000001", "nan", "60.12345x"])
  func `a text of another form is not a rate`(_ text: String) { #expect(RefreshRate(text) == nil) }

  @Test func `a rate's text has three digits after the point, or none`() {
    #expect(RefreshRate(millihertz: 60_000).description == "60")
    #expect(RefreshRate(millihertz: 59_094).description == "59.094")
  }

  @Test(arguments: [
    ("0", 0), ("4096", 4096), ("1K", 1024), ("256M", 256 << 20), ("6G", 6 << 30), ("6g", 6 << 30), ("2T", 2 << 40),
    ("8388607T", 8_388_607 << 40),
  ])
  func `a byte count is a whole number with a unit of 1024`(_ text: String, _ bytes: Int) {
    #expect(ByteCount(text)?.bytes == bytes)
  }

  @Test(arguments: ["", "G", "1.5G", "-1", "6GB", "6 G", "1KK", "8388608T", "9223372036854775808"])
  func `a text of another form, or too much for an Int, is not a byte count`(_ text: String) {
    #expect(ByteCount(text) == nil)
  }

  @Test func `a byte count without a letter takes the unit that the caller names`() {
    #expect(ByteCount("512", unit: .mebibyte)?.bytes == 512 << 20)
    #expect(ByteCount("512K", unit: .mebibyte)?.bytes == 512 << 10)
  }

  @Test(arguments: ["0", "1000", "1K", "1536M", "6G", "3T"])
  func `a byte count's text has the largest unit that leaves a whole number`(_ text: String) {
    #expect(ByteCount(text)?.description == text)
  }

  @Test(arguments: ["1920x1080@60", "1366x768@59.790"])
  func `a mode's text is its size and its rate`(_ text: String) { #expect(DisplayMode(text)?.description == text) }

  @Test(arguments: ["1920x1080@", "1920x1080@0", "1920x1080@1001", "1920x1080@6e1", "20000x1@60", "@60"])
  func `a text of another form is not a mode`(_ text: String) { #expect(DisplayMode(text) == nil) }
}
