import CPNG
import LinuxIO
import Testing

/// A headless Chromium that opens a page.
enum Browser {
  static let path = ["chromium-headless-shell", "chromium", "google-chrome"].compactMap { name in
    (environmentVariable("PATH") ?? "").split(separator: ":").map { "\($0)/\(name)" }
      .first { LinuxFile.isAccessible($0, .execute) }
  }.first

  /// The colour of a plot's first series.
  static func firstSeries(_ isDark: Bool) -> UInt32 { isDark ? 0x56B4E9 : 0x0072B2 }

  /// The number of pixels of the page per colour; the browser's console must stay empty.
  static func colours(of page: String, isDark: Bool = false) throws -> [UInt32: Int] {
    let folder = try TemporaryFolder(prefix: "framepath-browser")
    let picture = "\(folder.path)/page.png"
    let command = ChildCommand(
      try #require(path),
      [
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,1400",
        "--enable-logging=stderr", "--blink-settings=preferredColorScheme=\(isDark ? 0 : 1)",
        "--user-data-dir=\(folder.path)/profile", "--screenshot=\(picture)", "file://\(page)",
      ])
    let result = try ChildProcess.run(command, timeoutMilliseconds: 60_000)
    #expect(result.exit.isSuccess)
    #expect(!result.error.contains("CONSOLE"), "\(result.error)")
    defer { _ = try? ChildProcess.run(ChildCommand("/bin/rm", ["-rf", "\(folder.path)/profile"])) }
    return try counts(picture)
  }

  private static func counts(_ path: String) throws -> [UInt32: Int] {
    let png = try LinuxFile.read(path, limit: 1 << 24)
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    try #require(png_image_begin_read_from_memory(&image, png, png.count) != 0)
    image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    var rgb = [UInt8](repeating: 0, count: Int(image.width) * Int(image.height) * 3)
    try #require(png_image_finish_read(&image, nil, &rgb, 0, nil) != 0)
    var counts: [UInt32: Int] = [:]
    for start in stride(from: 0, to: rgb.count, by: 3) {
      counts[UInt32(rgb[start]) << 16 | UInt32(rgb[start + 1]) << 8 | UInt32(rgb[start + 2]), default: 0] += 1
    }
    return counts
  }
}
