/// The same workloads under every policy, side by side.
public struct Comparison: Hashable, Sendable, Codable {
  /// One policy's figures.
  public struct Row: Hashable, Sendable, Codable {
    /// The policy.
    public var policy: String
    /// Worst Jain's index of any second, 16 equal VMs that ask for one and a half times the blit time.
    public var equalJain: Double
    /// Share error of weights 1:2:4:8.
    public var shareError: Double
    /// Late or lost promised frames, 85 % of the time promised, beside a VM that takes the rest.
    public var lateRate: Double
    /// Frame rate of a 1 ms VM beside one of 50 ms frames.
    public var interactiveRate: Double
    /// The 60 Hz game's frame rate beside the worst of the hostile VMs.
    public var victimRate: Double
    /// Late or lost promised frames beside the worst of the hostile VMs.
    public var victimLateRate: Double
    /// The longest time from ready to on screen of a promised VM beside hostile ones, in milliseconds.
    public var victimLatency: Double
  }

  /// All policies' figures.
  public var rows: [Row]

  /// The figures as a table for Markdown and terminals.
  public func table() -> String {
    let head = [
      "policy", "Jain, 16 equal", "share error 1:2:4:8", "late at 85 %", "1 ms beside 50 ms", "game beside hostile",
      "late beside hostile", "max latency",
    ]
    let lines = rows.map { row in
      [
        row.policy, Self.decimal(row.equalJain, 4), Self.decimal(row.shareError * 100, 2) + " %",
        Self.decimal(row.lateRate * 100, 2) + " %", Self.decimal(row.interactiveRate, 1) + " fps",
        Self.decimal(row.victimRate, 1) + " fps", Self.decimal(row.victimLateRate * 100, 2) + " %",
        Self.decimal(row.victimLatency, 1) + " ms",
      ]
    }
    return Self.markdown(head: head, lines: lines)
  }

  /// Lines of cells as a Markdown table with even columns.
  static func markdown(head: [String], lines: [[String]]) -> String {
    let widths = head.indices.map { column in ([head] + lines).map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        cells[column] + String(repeating: " ", count: widths[column] - cells[column].count)
      }
      return "| " + padded.joined(separator: " | ") + " |\n"
    }
    let rule = widths.map { String(repeating: "-", count: $0) }
    return line(head) + line(rule) + lines.map(line).joined()
  }

  /// A number with a fixed count of decimals, rounded.
  static func decimal(_ value: Double, _ places: Int) -> String {
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int(value * Double(scale) + (value < 0 ? -0.5 : 0.5))
    let sign = scaled < 0 ? "-" : ""
    guard places > 0 else { return String(scaled) }
    let fraction = String(abs(scaled) % scale)
    let zeros = String(repeating: "0", count: places - fraction.count)
    return sign + String(abs(scaled) / scale) + "." + zeros + fraction
  }
}

extension SimulationResult {
  /// Each VM's figures as a table for Markdown and terminals; times in milliseconds.
  public func table() -> String {
    let head = ["vm", "fps", "interval p50", "p99", "p99.9", "max", "latency p50", "max", "late", "missed"]
    let lines = vms.map { vm in
      [vm.name, Comparison.decimal(vm.framesPerSecond, 2)]
        + [vm.intervalP50, vm.intervalP99, vm.intervalP999, vm.intervalMax, vm.latencyP50, vm.latencyMax].map {
          Comparison.decimal(Double($0) / 1e6, 2)
        } + [String(vm.late), String(vm.missed)]
    }
    return Comparison.markdown(head: head, lines: lines)
  }
}
