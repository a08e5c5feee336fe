import LinuxIO
import Testing

@testable import FramepathBench

/// The pages with plots: their content, and their rendering in a browser.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ReportPageTests {
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

  @Test func `a page is self-contained and escapes its texts`() {
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

  @Test func `an axis begins at 0 and ends above all values`() {
    let axis = PlotAxis([3, 94], isLogarithmic: false)
    #expect(axis.ticks == [0, 20, 40, 60, 80, 100])
    #expect(axis.position(0) == 0 && axis.position(100) == 1 && axis.position(50) == 0.5)
    #expect(PlotAxis([2, 3000], isLogarithmic: true).ticks == [1, 10, 100, 1000, 10_000])
    #expect(PlotAxis([], isLogarithmic: true).position(0) == 0)
  }

  @Test(.enabled(if: Browser.path != nil, "no headless Chromium is installed here"), arguments: [false, true])
  func `a browser shows the plots without an error`(isDark: Bool) throws {
    let folder = try TemporaryFolder(prefix: "framepath-page")
    try LinuxFile.replace("\(folder.path)/page.html", with: Array(page.html.utf8))
    let colours = try Browser.colours(of: "\(folder.path)/page.html", isDark: isDark)
    // The two bars, and the line's dots.
    #expect(colours[Browser.firstSeries(isDark), default: 0] > 2000)
    #expect(colours[isDark ? 0xFF9248 : 0xD55E00, default: 0] > 2000)
    #expect(colours.max { $0.value < $1.value }?.key == (isDark ? 0x15181C : 0xFFFFFF))
  }
}
