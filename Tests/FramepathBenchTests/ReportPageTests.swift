import CPNG
import LinuxIO
import Testing

@testable import FramepathBench

/// The pages with plots: what is in them, and what a browser makes of them.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ReportPageTests {
  private static let browser = ["chromium-headless-shell", "chromium", "google-chrome"].compactMap { name in
    (environmentVariable("PATH") ?? "").split(separator: ":").map { "\($0)/\(name)" }
      .first { LinuxFile.isAccessible($0, .execute) }
  }.first

  private var page: ReportPage {
    var section = ReportPage.Section(title: "Frames & <copies>")
    section.notes = ["A \"note\"."]
    section.charts = [
      BarChart(
        "Transfers", unit: "frames", series: ["ours", "theirs"],
        bars: [
          BarChart.Bar("legacy", series: 1, Spread([9000])), BarChart.Bar("direct", Spread([2500, 3000, 3500])),
        ]),
      BarChart(
        "Far apart", unit: "µs", bars: [BarChart.Bar("a", Spread([3])), .init("b", Spread([40_000]))],
        isLogarithmic: true),
      LineChart(
        "Rate", unit: "per second", places: ["1", "8", "64"], placeUnit: "VMs",
        lines: [LineChart.Line("middle", [60, 60, 41.5])]),
      BarChart("Nothing", unit: "frames", bars: []),
    ]
    section.tables = [[["Path", "Copies"], ["<hybrid>", "1"]]]
    return ReportPage(title: "Test", command: "framepath bench copies", notes: ["a machine"], sections: [section])
  }

  @Test func `a page needs nothing from outside and escapes what it is given`() {
    let html = page.html
    #expect(html.hasPrefix("<!DOCTYPE html>"))
    for word in ["src=", "href=", "@import", "url(", "<script"] { #expect(!html.contains(word), "\(word)") }
    #expect(html.contains("Frames &amp; &lt;copies&gt;"))
    #expect(html.contains("A &quot;note&quot;."))
    #expect(!html.contains("<hybrid>"))
    #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print"))
  }

  @Test func `numbers are short`() {
    let texts = [0, 3, 0.123, 4.06, 60.14, 926.4, 33_177_600, -2.5].map(shortNumber)
    #expect(texts == ["0", "3", "0.12", "4.06", "60.1", "926", "33177600", "-2.50"])
    #expect(shortNumber(.infinity) == "-")
  }

  @Test func `an axis begins at nothing and ends above everything`() {
    let axis = PlotAxis([3, 94], isLogarithmic: false)
    #expect(axis.ticks == [0, 20, 40, 60, 80, 100])
    #expect(axis.position(0) == 0 && axis.position(100) == 1 && axis.position(50) == 0.5)
    #expect(PlotAxis([2, 3000], isLogarithmic: true).ticks == [1, 10, 100, 1000, 10_000])
    #expect(PlotAxis([], isLogarithmic: true).position(0) == 0)
  }

  @Test(.enabled(if: browser != nil, "no headless Chromium is installed here"), arguments: [false, true])
  func `a browser shows the plots without an error`(isDark: Bool) throws {
    let folder = try TemporaryFolder(prefix: "framepath-page")
    try LinuxFile.replace("\(folder.path)/page.html", with: Array(page.html.utf8))
    let picture = "\(folder.path)/page.png"
    let command = ChildCommand(
      try #require(ReportPageTests.browser),
      [
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,1400",
        "--enable-logging=stderr", "--blink-settings=preferredColorScheme=\(isDark ? 0 : 1)",
        "--user-data-dir=\(folder.path)/profile", "--screenshot=\(picture)", "file://\(folder.path)/page.html",
      ])
    let result = try ChildProcess.run(command, timeoutMilliseconds: 60_000)
    #expect(result.exit.isSuccess)
    #expect(!result.error.contains("CONSOLE"))
    let colours = try counts(picture)
    // The two bars, and the line's dots: 0072b2 and d55e00, or their brighter sisters on dark ground.
    #expect(colours[isDark ? 0x56B4E9 : 0x0072B2, default: 0] > 2000)
    #expect(colours[isDark ? 0xFF9248 : 0xD55E00, default: 0] > 2000)
    #expect(colours.max { $0.value < $1.value }?.key == (isDark ? 0x15181C : 0xFFFFFF))
    _ = try ChildProcess.run(ChildCommand("/bin/rm", ["-rf", "\(folder.path)/profile"]))
  }

  /// How many pixels have which colour.
  private func counts(_ path: String) throws -> [UInt32: Int] {
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
