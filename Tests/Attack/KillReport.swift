import CommandSupport

/// What was killed.
enum KillTarget: String, Codable, CaseIterable {
  case daemon, launcher, worker, client

  /// What a kill may cost.
  var cost: String {
    switch self {
    case .daemon: "all pictures until the next daemon; no guest restarts"
    case .launcher, .worker: "the VM's own guest"
    case .client: "the client's own picture"
    }
  }
}

/// Kills at random moments, and how long pictures were away.
struct KillReport: Codable {
  /// One target's figures.
  struct Row: Codable {
    var target: KillTarget
    var count = 0
    /// Until all VMs but those that lost their backend show frames again, for each kill, ms.
    var milliseconds: [Double] = []
  }

  var seed: UInt64
  var withinMilliseconds: Double
  var kills = 0
  var seconds = 0.0
  var rows = KillTarget.allCases.map { Row(target: $0) }
  /// Daemons and backends that were compared with what they held when they were new.
  var comparedProcesses = 0
  var faults: [String] = []

  /// The report as text.
  var lines: [String] {
    var table = TextTable(["KILLED", ">COUNT", ">MEDIAN ms", ">P99 ms", ">LONGEST ms", "MAY COST"])
    for row in rows where row.count > 0 {
      let sorted = row.milliseconds.sorted()
      let place = { (share: Double) in
        sorted.isEmpty
          ? "-" : TextTable.fixed(sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)], decimals: 0)
      }
      table.add([row.target.rawValue, "\(row.count)", place(0.5), place(0.99), place(1), row.target.cost])
    }
    return table.lines + [
      "\(kills) kills in \(TextTable.fixed(seconds, decimals: 0)) s under four flipping VMs and two clients, seed \(seed); "
        + "time until every other VM shows frames again. \(comparedProcesses) processes compared with their start: "
        + (faults.isEmpty ? "nothing is left behind" : "FAILED")
    ]
  }
}
