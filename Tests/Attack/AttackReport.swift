import CommandSupport

/// One attack's figures.
struct AttackRow: Codable {
  /// One time with the attack, and the times beside it.
  struct Round: Codable {
    var before: ScreenWindow
    var during: ScreenWindow
    var after: ScreenWindow

    /// Frames during, as a share of those before.
    var share: Double { before.framesPerSecond > 0 ? during.framesPerSecond / before.framesPerSecond : 0 }
  }

  var name: String
  var what: String
  /// Why it was not done.
  var missing: String?
  var rounds: [Round] = []
  /// How many times it was done in all rounds: messages, connections, heads, as the case is.
  var count = 0
  var heldBefore: Holdings?
  var heldAfter: Holdings?
  /// Lines in the daemon's log.
  var logLines = 0
  /// What is wrong.
  var faults: [String] = []

  init(_ attack: Attack) {
    name = attack.name
    what = attack.what
    missing = attack.missing()
  }

  /// The median of the rounds' shares.
  var share: Double { AttackRow.median(rounds.map(\.share)) }

  /// The median of a figure of the rounds.
  func median(_ figure: (Round) -> Double) -> Double { AttackRow.median(rounds.map(figure)) }

  private static func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }
}

/// All attacks' figures.
struct AttackReport: Codable {
  var rows: [AttackRow] = []
  var kills: KillReport?
  /// The least share of the frames before that the victim keeps.
  var leastShare = 0.95

  /// A share may be this much below that beside the control, which only spins, before the daemon is to blame.
  static let controlSlack = 0.03

  /// Judges the victim's frames, with the control's beside them.
  mutating func judge() {
    let control = rows.first { $0.name == Attack.control.name }?.share ?? 1
    let least = min(leastShare, control - AttackReport.controlSlack)
    for index in rows.indices where rows[index].name != Attack.control.name && !rows[index].rounds.isEmpty {
      let share = rows[index].share
      if share < least {
        rows[index].faults.append(
          "\(AttackReport.percent(share)) of the frames before; beside the control \(AttackReport.percent(control))")
      }
    }
  }

  var faults: [String] { rows.flatMap { row in row.faults.map { "\(row.name): \($0)" } } + (kills?.faults ?? []) }

  /// The report as text.
  var lines: [String] {
    var lines: [String] = []
    if !rows.isEmpty {
      let titles = [
        "ATTACK", ">COUNT", ">BEFORE/s", ">DURING/s", ">AFTER/s", ">SHARE", ">P99 ms", ">DURING", ">ANSWER ms", ">FDS",
        ">MAPS", ">RSS MiB", "VERDICT",
      ]
      var table = TextTable(titles)
      for row in rows { table.add(AttackReport.cells(row)) }
      lines += table.lines
      lines.append(
        "Frames of a VM beside each attack that came on screen, by the daemon's count; medians of the rounds. control "
          + "spins without the daemon: what is lost beside it is the machine's. ANSWER: the slowest status.")
    }
    return lines + (kills?.lines ?? [])
  }

  private static func cells(_ row: AttackRow) -> [String] {
    if let missing = row.missing { return [row.name] + Array(repeating: "-", count: 11) + ["skipped: \(missing)"] }
    let fixed = { (value: Double) in TextTable.fixed(value, decimals: 1) }
    var cells = [row.name, "\(row.count)"]
    cells += [
      fixed(row.median(\.before.framesPerSecond)), fixed(row.median(\.during.framesPerSecond)),
      fixed(row.median(\.after.framesPerSecond)), percent(row.share), fixed(row.median(\.before.p99Milliseconds)),
      fixed(row.median(\.during.p99Milliseconds)), fixed(row.median(\.during.slowestAnswerMilliseconds)),
    ]
    if let before = row.heldBefore, let after = row.heldAfter {
      cells += ["\(before.descriptors) \(after.descriptors)", "\(before.mappings) \(after.mappings)"]
      cells.append("\(before.residentBytes >> 20) \(after.residentBytes >> 20)")
    } else {
      cells += ["-", "-", "-"]
    }
    return cells + [row.faults.isEmpty ? "passed" : "FAILED: \(row.faults.joined(separator: "; "))"]
  }

  static func percent(_ share: Double) -> String { "\(TextTable.fixed(share * 100, decimals: 0)) %" }
}
