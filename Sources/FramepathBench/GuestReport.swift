/// What `framepath bench guest` has measured.
public struct GuestReport: Codable, Equatable, Sendable {
  /// A process beside QEMU.
  public struct Helper: Codable, Equatable, Sendable {
    /// Its program.
    public var name: String
    /// CPU time per flip of the guest, µs.
    public var microseconds: Double
  }

  /// One setup.
  public struct Figures: Codable, Equatable, Sendable {
    /// Which one.
    public var setup: GuestBench.Setup
    /// Why there are no figures; nil where there are.
    public var missing: String?
    /// The guest's flips per second.
    public var framesPerSecond = 0.0
    /// Pictures that came to a screen or viewer; nil where nobody looks.
    public var displayed: UInt64?
    /// Which path the frames took, by the daemon; nil without one.
    public var path: String?
    /// CPU time of the guest's processors per flip, µs: under TCG that is the emulator.
    public var guestMicroseconds = 0.0
    /// CPU time of QEMU's other threads per flip, µs.
    public var qemuMicroseconds = 0.0
    /// The processes beside QEMU.
    public var helpers: [Helper] = []

    init(setup: GuestBench.Setup, missing: String?) {
      self.setup = setup
      self.missing = missing
    }

    /// CPU time per flip of all processes but for the guest's own processors, µs.
    public var hostMicroseconds: Double { helpers.reduce(qemuMicroseconds) { $0 + $1.microseconds } }
    /// The same with the guest's processors per picture that was displayed, µs; nil where none was.
    public func allMicrosecondsPerDisplayed(frames: Int) -> Double? {
      guard let displayed, displayed > 0 else { return nil }
      return (hostMicroseconds + guestMicroseconds) * Double(frames) / Double(displayed)
    }
  }

  /// One size of the picture.
  public struct Size: Codable, Equatable, Sendable {
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// Every setup that was asked for.
    public var setups: [Figures]
  }

  /// The guest's flips in each.
  public var frames: Int
  /// The machine.
  public var machine: Machine
  /// Every size.
  public var sizes: [Size]
}

extension GuestReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    var page = ReportPage(
      title: "Real guests", command: command,
      notes: [machine.text, "\(frames) page flips of a stock Linux guest, as fast as its device lets it."], sections: []
    )
    for size in sizes {
      var section = ReportPage.Section(title: "\(size.width) × \(size.height)")
      let measured = size.setups.filter { $0.missing == nil }
      section.notes = size.setups.compactMap { setup in setup.missing.map { "\(setup.setup.rawValue): \($0)" } }
      section.charts = [
        BarChart(
          "CPU time per flip but the guest's processors", unit: "µs",
          bars: measured.map { BarChart.Bar($0.setup.rawValue, Spread([$0.hostMicroseconds])) }),
        BarChart(
          "The guest's flips", unit: "per second",
          bars: measured.map { BarChart.Bar($0.setup.rawValue, Spread([$0.framesPerSecond])) }),
      ]
      var rows = [["Setup", "Flips/s", "Displayed", "Path", "Guest's CPUs µs", "QEMU's rest µs", "Beside QEMU"]]
      for figures in measured {
        rows.append([
          figures.setup.rawValue, shortNumber(figures.framesPerSecond), figures.displayed.map { "\($0)" } ?? "-",
          figures.path ?? "-", shortNumber(figures.guestMicroseconds), shortNumber(figures.qemuMicroseconds),
          figures.helpers.map { "\($0.name) \(shortNumber($0.microseconds))" }.joined(separator: ", "),
        ])
      }
      section.tables = [rows]
      page.sections.append(section)
    }
    return page
  }
}
