import Foundation
import Scanout
import Testing

@Suite struct EDIDTests {
  static let sizes = [
    (640, 480), (800, 600), (1024, 768), (1280, 720), (1280, 800), (1366, 768), (1440, 900), (1600, 1200), (1920, 1080),
    (1920, 1200), (2560, 1080), (2560, 1440), (2560, 1600), (3440, 1440), (3840, 2160), (4096, 2160), (5120, 2880),
    (7680, 4320), (1080, 1920), (1001, 701),
  ]
  static let rates = [24_000, 50_000, 59_940, 60_000, 75_000, 120_000, 144_000, 240_000]
  static let tool = "/usr/bin/edid-decode"

  @Test func `the base block is written field by field`() {
    let edid = EDID.generate(
      EDID.Description(
        mode: DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000), name: "HDMI-A-1", serial: 7,
        widthMillimetres: 520, heightMillimetres: 290))
    #expect(
      edid == [
        0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00,  // header
        0x1A, 0x08, 0x01, 0x00, 0x07, 0x00, 0x00, 0x00,  // FPH, product 1, serial 7
        0x00, 0x23, 0x01, 0x04, 0xA0, 0x34, 0x1D, 0x78, 0x06,  // 2025, 1.4, digital, 52 × 29 cm, gamma 2.2
        0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54,  // sRGB
        0x21, 0x08, 0x00,  // 640x480, 800x600, 1024x768
        0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
        // 138.65 MHz, 1920+160 × 1080+31, sync 48/32 and 3/5, 520 × 290 mm
        0x29, 0x36, 0x80, 0xA0, 0x70, 0x38, 0x1F, 0x40, 0x30, 0x20, 0x35, 0x00, 0x08, 0x22, 0x21, 0x00, 0x00, 0x1A,
        0x00, 0x00, 0x00, 0xFC, 0x00, 0x48, 0x44, 0x4D, 0x49, 0x2D, 0x41, 0x2D, 0x31, 0x0A, 0x20, 0x20, 0x20, 0x20,
        0x00, 0x00, 0x00, 0xFD, 0x00, 0x3B, 0x3D, 0x1E, 0x43, 0x0E, 0x01, 0x0A, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
        0x00, 0x00, 0x00, 0xFF, 0x00, 0x46, 0x50, 0x37, 0x0A, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20,
        0x00, 0x4F,
      ])
  }

  @Test(arguments: sizes, rates)
  func `the preferred timing of a generated EDID is its mode`(size: (Int, Int), rate: Int) throws {
    let wanted = DisplayMode(width: size.0, height: size.1, refreshMillihertz: rate)
    let edid = EDID.generate(EDID.Description(mode: wanted, name: "headless-0", serial: 1))
    #expect(EDID.isValid(edid))
    #expect(edid.count <= EDID.maxByteCount)
    #expect(EDID.agrees(edid, with: wanted))
    let preferred = try #require(EDID.preferredMode(of: edid))
    #expect(preferred.width == wanted.width && preferred.height == wanted.height)
    #expect(abs(preferred.refreshMillihertz - rate) * 1500 <= rate, "\(preferred)")
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: tool), "edid-decode is not installed"))
  func `a generated EDID passes edid-decode`() throws {
    for size in Self.sizes {
      for rate in Self.rates {
        let mode = DisplayMode(width: size.0, height: size.1, refreshMillihertz: rate)
        let report = try decode(EDID.generate(EDID.Description(mode: mode, name: "headless-0", serial: 3)))
        let passed = report.status == 0 && report.text.contains("EDID conformity: PASS")
        #expect(passed, "\(mode): \(report.text)")
      }
    }
  }

  @Test func `the monitor's own EDID is used if it agrees with the mode`() {
    let own = EDID.generate(description(1360, 768))
    #expect(EDID.forGuest(monitor: own, description: description(1366, 768)) == own)
  }

  @Test func `the first timing is rewritten if it differs`() {
    let own = EDID.generate(description(3840, 2160))
    let given = EDID.forGuest(monitor: own, description: description(1920, 1080))
    #expect(given.count == own.count)
    #expect(EDID.isValid(given))
    #expect(EDID.preferredMode(of: given)?.width == 1920)
    #expect(Array(given[72..<126]) == Array(own[72..<126]))
    #expect(Array(given[66..<69]) == Array(own[66..<69]), "the picture's millimetres are the monitor's")
  }

  @Test func `an EDID is generated if the monitor's is invalid`() {
    var broken = EDID.generate(description(1920, 1080))
    broken[20] ^= 1
    let wanted = description(1280, 1024)
    #expect(EDID.preferredMode(of: broken) == nil)
    #expect(EDID.forGuest(monitor: broken, description: wanted) == EDID.generate(wanted))
    #expect(EDID.forGuest(monitor: [], description: wanted) == EDID.generate(wanted))
    #expect(EDID.forGuest(monitor: [0, 255], description: wanted) == EDID.generate(wanted))
  }

  @Test func `an EDID is generated for a mode that no descriptor can hold`() {
    let own = EDID.generate(description(1920, 1080))
    let wanted = description(7680, 4320)
    #expect(EDID.rewritingPreferredMode(of: own, to: wanted.mode) == nil)
    #expect(EDID.forGuest(monitor: own, description: wanted) == EDID.generate(wanted))
  }

  @Test func `random bytes never trap the EDID reader`() {
    var random = SystemRandomNumberGenerator()
    for round in 0..<2000 {
      var bytes = EDID.generate(description(7680, 4320))
      for _ in 0...round % 12 { bytes[Int.random(in: 8..<256, using: &random)] = .random(in: 0...255, using: &random) }
      bytes[126] = 1
      bytes[127] = 0 &- bytes[0..<127].reduce(0, &+)
      bytes[255] = 0 &- bytes[128..<255].reduce(0, &+)
      _ = EDID.preferredMode(of: bytes)
      _ = EDID.rewritingPreferredMode(of: bytes, to: DisplayMode(width: 800, height: 600, refreshMillihertz: 60_000))
    }
    for size in [-1, 0, 1, 31, 4095, 4096, 16384, 1 << 40] {
      let mode = DisplayMode(width: size, height: size, refreshMillihertz: size)
      #expect(EDID.isValid(EDID.generate(EDID.Description(mode: mode, name: "", serial: .max))))
    }
  }

  private func description(_ width: Int, _ height: Int) -> EDID.Description {
    EDID.Description(
      mode: DisplayMode(width: width, height: height, refreshMillihertz: 60_000), name: "monitor", serial: 2)
  }

  private func decode(_ edid: [UInt8]) throws -> (status: Int32, text: String) {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("edid-\(UUID().uuidString)")
    try Data(edid).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.tool)
    process.arguments = ["--check", file.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
