import CommandSupport
import StatusModel

/// The rates that `framepath top` derives from successive status reports, and their history.
struct TopModel {
  /// The order of the rows.
  enum Order: Character, CaseIterable {
    case name = "n"
    case rate = "r"
    case copies = "c"
    case latency = "l"
    case share = "s"

    /// For the title line.
    var title: String {
      switch self {
      case .name: "name"
      case .rate: "rate"
      case .copies: "copies"
      case .latency: "latency"
      case .share: "share"
      }
    }
  }

  /// A scanout of a VM over the last interval.
  struct Row: Equatable {
    var vm: String
    var head: Int
    var output: String
    var path: String
    /// Frames that reached the screen, per second.
    var rate: Double = 0
    /// Superseded frames per second.
    var superseded: Double = 0
    /// CPU copies per presented frame; 0 without frames.
    var copies: Double = 0
    /// Copied bytes per second.
    var copiedBytes: Double = 0
    /// From present to commit over the scanout's life, µs.
    var latchMedian: Double = 0
    var latchP99: Double = 0
    /// The VM's share of its output's service, 0 to 1: of the time for copies into a shared output, or of the frames
    /// shown if nothing is copied.
    var share: Double = 0
    /// The share of the output's vblanks that showed a new frame of it, 0 to 1.
    var vblanks: Double = 0
    /// The VM's weight.
    var weight: Int64 = 1
    /// Rates, the newest last.
    var history: [Double] = []
  }

  static let historyLength = 24

  private(set) var rows: [Row] = []
  /// The rows as of the last `take`.
  private var taken: [String: Row] = [:]
  private var last: [String: DaemonStatus.Scanout] = [:]
  private var lastNanoseconds: UInt64 = 0
  private var histories: [String: [Double]] = [:]

  /// Takes a status within an interval: updates rows, outputs and paths. Rates are unchanged until the next `take`.
  mutating func update(_ status: DaemonStatus) {
    rows = status.vms.flatMap { vm in
      vm.scanouts.map { scanout in
        let new = Row(vm: vm.name, head: scanout.index, output: "", path: "")
        var row = taken[TopModel.key(vm, scanout)] ?? new
        row.output = scanout.output ?? "-"
        row.path = scanout.path.rawValue
        row.weight = vm.weight
        return row
      }
    }
  }

  /// Takes the status at the end of an interval.
  mutating func take(_ status: DaemonStatus) {
    let nanoseconds = status.nowNanoseconds
    // After a reboot of the host the clock is lower.
    let seconds =
      lastNanoseconds == 0 || nanoseconds < lastNanoseconds ? 0 : Double(nanoseconds - lastNanoseconds) / 1e9
    var next: [String: DaemonStatus.Scanout] = [:]
    var nextHistories: [String: [Double]] = [:]
    rows = []
    taken = [:]
    let grants = TopGrants(status, last: last, seconds: seconds)
    for vm in status.vms {
      for scanout in vm.scanouts {
        let key = TopModel.key(vm, scanout)
        next[key] = scanout
        let before = last[key]
        let rate = TopModel.rate(scanout.framesFlipped, before?.framesFlipped, seconds)
        var history = histories[key] ?? []
        if before != nil { history = (history + [rate]).suffix(TopModel.historyLength) }
        nextHistories[key] = history
        let frames = TopModel.difference(scanout.framesPresented, before?.framesPresented)
        let copies = TopModel.difference(scanout.cpuCopies, before?.cpuCopies)
        let row =
          Row(
            vm: vm.name, head: scanout.index, output: scanout.output ?? "-", path: scanout.path.rawValue, rate: rate,
            superseded: TopModel.rate(scanout.framesSuperseded, before?.framesSuperseded, seconds),
            copies: frames == 0 ? 0 : Double(copies) / Double(frames),
            copiedBytes: TopModel.rate(scanout.copiedBytes, before?.copiedBytes, seconds),
            latchMedian: Double(scanout.latchMedianNanoseconds ?? 0) / 1000,
            latchP99: Double(scanout.latchP99Nanoseconds ?? 0) / 1000, share: grants.share(key),
            vblanks: grants.vblanks(key), weight: vm.weight, history: history)
        rows.append(row)
        taken[key] = row
      }
    }
    (last, histories, lastNanoseconds) = (next, nextHistories, nanoseconds)
  }

  /// The rows in the given order; ties are ordered by name.
  func rows(by order: Order) -> [Row] {
    rows.sorted { left, right in
      let names = (left.vm, left.head) < (right.vm, right.head)
      switch order {
      case .name: return names
      case .rate: return left.rate == right.rate ? names : left.rate > right.rate
      case .copies: return left.copiedBytes == right.copiedBytes ? names : left.copiedBytes > right.copiedBytes
      case .latency: return left.latchP99 == right.latchP99 ? names : left.latchP99 > right.latchP99
      case .share: return left.share == right.share ? names : left.share > right.share
      }
    }
  }

  /// The screen's lines.
  func lines(by order: Order, sparks: Sparkline) -> [String] {
    if rows.isEmpty { return ["No VMs."] }
    var table = TextTable([
      "VM", ">HEAD", "OUTPUT", "PATH", ">FRAMES/S", "FRAME RATE", ">SUPERSEDED/S", ">COPIES/FRAME", ">COPIED/S",
      ">LATCH 50 % µs", ">99 % µs", ">SHARE", ">WEIGHT", ">VBLANKS",
    ])
    for row in rows(by: order) {
      table.add([
        row.vm, "\(row.head)", row.output, row.path, TextTable.fixed(row.rate, decimals: 1), sparks.text(row.history),
        TextTable.fixed(row.superseded, decimals: 1), TextTable.fixed(row.copies, decimals: 2),
        TextTable.bytes(UInt64(exactly: row.copiedBytes.rounded()) ?? 0), TextTable.fixed(row.latchMedian, decimals: 0),
        TextTable.fixed(row.latchP99, decimals: 0), TextTable.fixed(row.share * 100, decimals: 1) + "%",
        "\(row.weight)", TextTable.fixed(row.vblanks * 100, decimals: 0) + "%",
      ])
    }
    return table.lines
  }

  /// Identifies a scanout across the status reports of one daemon.
  static func key(_ vm: DaemonStatus.VM, _ scanout: DaemonStatus.Scanout) -> String { "\(vm.pid)/\(scanout.index)" }

  /// The increase of a counter; 0 if it was reset by a restart of the daemon.
  static func difference(_ now: UInt64, _ before: UInt64?) -> UInt64 {
    guard let before, now >= before else { return 0 }
    return now - before
  }

  private static func rate(_ now: UInt64, _ before: UInt64?, _ seconds: Double) -> Double {
    seconds > 0 ? Double(difference(now, before)) / seconds : 0
  }
}

/// A row of small bars, scaled from 0 to the largest value.
struct Sparkline {
  private let levels: [Character]

  /// - Parameter isUnicode: whether the terminal shows block characters.
  init(isUnicode: Bool) { levels = Array(isUnicode ? "▁▂▃▄▅▆▇█" : "_.:-=+*#") }

  /// One character for each value, padded to the length of a full history.
  func text(_ values: [Double]) -> String {
    let largest = values.max() ?? 0
    let bars = values.map { value -> Character in
      guard largest > 0 else { return levels[0] }
      return levels[min(Int(value / largest * Double(levels.count - 1) + 0.5), levels.count - 1)]
    }
    return String(repeating: " ", count: max(TopModel.historyLength - bars.count, 0)) + String(bars)
  }
}
