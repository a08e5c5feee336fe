/// The results of `framepath bench guest`.
public struct GuestReport: Codable, Equatable, Sendable {
  /// A process beside QEMU.
  public struct Helper: Codable, Equatable, Sendable {
    /// Its program.
    public var name: String
    /// CPU time per flip of the guest, µs.
    public var microseconds: Double
  }

  /// One run: a number of flips of the guest.
  public struct Run: Codable, Equatable, Sendable {
    /// The guest's flips per second.
    public var framesPerSecond = 0.0
    /// Pictures that reached a screen or viewer; nil without one.
    public var displayed: UInt64?
    /// CPU time of the guest's processors per flip, µs: under TCG that is the emulator.
    public var guestMicroseconds = 0.0
    /// CPU time of QEMU's other threads per flip, µs.
    public var qemuMicroseconds = 0.0
    /// The processes beside QEMU.
    public var helpers: [Helper] = []

    init() {}

    /// CPU time per flip of the processes beside QEMU, µs.
    public var besideMicroseconds: Double { helpers.reduce(0) { $0 + $1.microseconds } }
    /// CPU time per flip of all processes but for the guest's own processors, µs.
    public var hostMicroseconds: Double { qemuMicroseconds + besideMicroseconds }
    /// CPU time of all processes with the guest's processors, per displayed picture, µs; nil if none was displayed.
    public func allMicrosecondsPerDisplayed(frames: Int) -> Double? {
      guard let displayed, displayed > 0 else { return nil }
      return (hostMicroseconds + guestMicroseconds) * Double(frames) / Double(displayed)
    }
  }

  /// One setup.
  public struct Figures: Codable, Equatable, Sendable {
    /// The setup.
    public var setup: GuestBench.Setup
    /// Why there are no figures; nil if there are.
    public var missing: String?
    /// The path of the frames from the daemon's status, or the transport to the viewer; nil if unknown.
    public var path: String?
    /// Every run, all in one boot.
    public var runs: [Run] = []

    init(setup: GuestBench.Setup, missing: String?) {
      self.setup = setup
      self.missing = missing
    }

    /// A figure over all runs.
    public func spread(_ figure: (Run) -> Double) -> Spread { Spread(runs.map(figure)) }
    /// A figure over the runs that have it; nil if none has.
    public func spreadOfKnown(_ figure: (Run) -> Double?) -> Spread? {
      let known = runs.compactMap(figure)
      return known.isEmpty ? nil : Spread(known)
    }
  }

  /// One size of the picture.
  public struct Size: Codable, Equatable, Sendable {
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// Every requested setup.
    public var setups: [Figures]
  }

  /// The guest's flips in each.
  public var frames: Int
  /// The accelerator: `kvm`, or `tcg`, an emulator.
  public var accelerator: String
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
      notes: [
        machine.text, "Accelerator: \(accelerator).",
        "\(frames) page flips of a stock Linux guest, as fast as its device allows.",
      ], sections: []
    )
    for size in sizes {
      var section = ReportPage.Section(title: "\(size.width) × \(size.height)")
      let measured = size.setups.filter { $0.missing == nil }
      section.notes = size.setups.compactMap { setup in setup.missing.map { "\(setup.setup.rawValue): \($0)" } }
      section.charts = [
        BarChart(
          "CPU time per flip without the guest's processors", unit: "µs",
          bars: measured.map { BarChart.Bar($0.setup.rawValue, $0.spread(\.hostMicroseconds)) }),
        BarChart(
          "The guest's flips", unit: "per second",
          bars: measured.map { BarChart.Bar($0.setup.rawValue, $0.spread(\.framesPerSecond)) }),
      ]
      var rows = [["Setup", "Run", "Flips/s", "Displayed", "Path", "Guest's CPUs µs", "QEMU's rest µs", "Beside QEMU"]]
      for figures in measured {
        for (number, run) in figures.runs.enumerated() {
          rows.append([
            figures.setup.rawValue, "\(number + 1)", shortNumber(run.framesPerSecond),
            run.displayed.map { "\($0)" } ?? "-", figures.path ?? "-", shortNumber(run.guestMicroseconds),
            shortNumber(run.qemuMicroseconds),
            run.helpers.map { "\($0.name) \(shortNumber($0.microseconds))" }.joined(separator: ", "),
          ])
        }
      }
      section.tables = [rows]
      page.sections.append(section)
    }
    return page
  }
}
