import ArgumentParser
import CommandSupport
import HostProbe
import LinuxIO
import PresentClient
import StatusModel

/// `framepath top`.
struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Shows each VM's frame rate, path, copies and latency, live.",
    discussion: """
      Keys: n, r, c, l, s sort by name, frame rate, copied bytes, latency and share; t writes a trace (see framepath \
      trace); q quits. Without a terminal it prints one table after another, every --interval.

      In a terminal, changes of VMs, outputs and paths are shown when the daemon reports them. Rates are not reported; \
      they are read every --interval, and only while top runs.

      LATCH is the time from present to commit over the life of the scanout. SHARE is the VM's share of the time for \
      copies into a shared output, or of the frames shown if nothing is copied. VBLANKS is the share of the output's \
      vblanks that showed a new frame of the VM.

      Examples:
        framepath top
        framepath top --interval 0.5 --sort latency
        framepath top --count 10 > top.txt
      """)

  /// The initial sort order.
  enum Sort: String, ExpressibleByArgument, CaseIterable {
    case name, rate, copies, latency, share

    var order: TopModel.Order {
      switch self {
      case .name: .name
      case .rate: .rate
      case .copies: .copies
      case .latency: .latency
      case .share: .share
      }
    }
  }

  @Option(help: ArgumentHelp("How often to read the rates.", valueName: "seconds")) var interval = 1.0
  @Option(help: ArgumentHelp("End after this many tables.", valueName: "count")) var count: Int?
  @Option(help: "The initial sort order.") var sort = Sort.rate
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard (0.1...60).contains(interval) else { throw ValidationError("--interval takes 0.1 to 60 seconds.") }
    guard count.map({ $0 > 0 }) ?? true else { throw ValidationError("--count takes 1 or more.") }
  }

  func run() throws {
    let loop = try EventLoop()
    let feed = StatusFeed(daemon, loop: loop)
    // Rates need two reports; an error of the first is printed before the screen changes.
    var model = TopModel()
    model.take(try feed.status())
    let isPlain = environmentVariable("TERM") == nil || environmentVariable("TERM") == "dumb"
    let signals = try SignalFD(SignalFD.terminationSignals)
    let view = TopView(terminal: isPlain ? nil : Terminal())
    view.order = sort.order
    view.begin()
    defer { view.end() }

    _ = try loop.add(signals.fd.raw) { _ in view.isDone = true }
    if let terminal = view.terminal {
      _ = try loop.add(terminal.descriptor) { _ in
        guard let keys = terminal.keys(), !keys.isEmpty else { return view.isDone = true }
        view.press(keys)
      }
    }
    if view.terminal != nil { try view.show(model) }
    var due = monotonicNanoseconds() + UInt64(interval * 1e9)
    var shown = 0
    while !view.isDone {
      let now = monotonicNanoseconds()
      let next = view.terminal == nil ? due : feed.nextRead(atLatest: due)
      if now < next {
        try loop.runOnce(timeoutMilliseconds: Int32(clamping: (next - now + 999_999) / 1_000_000))
        if view.needsTrace { view.message = writeTrace() }
        if view.needsTrace || view.needsDrawing { try view.show(model) }
        view.needsTrace = false
        continue
      }
      let isInterval = now >= due
      if isInterval { due = max(due + UInt64(interval * 1e9), now) }
      do {
        let status = try feed.status()
        if isInterval { model.take(status) } else { model.update(status) }
        if view.hasFailed { view.message = "" }
        view.hasFailed = false
      } catch {
        guard view.terminal != nil else { throw error }
        // The daemon may come back: keep running.
        view.hasFailed = true
        view.message = "\(error)"
      }
      try view.show(model)
      if isInterval { shown += 1 }
      if shown == count { break }
    }
  }

  private func writeTrace() -> String {
    do {
      let trace = try daemon.answer { path throws(PresentClientError) in try PresentTool.trace(path: path) }
      let name = "framepath-trace-\(trace.nowNanoseconds / 1_000_000).json"
      try LinuxFile.replace(name, with: try ChromeTrace(trace, seconds: 10, vm: nil).json())
      return "wrote \(name)"
    } catch {
      return "no trace: \(error)"
    }
  }
}

/// Prints the tables: on the whole terminal, or one after another.
final class TopView {
  let terminal: Terminal?
  var order = TopModel.Order.rate
  var message = ""
  var isDone = false
  var hasFailed = false
  var needsTrace = false
  private(set) var needsDrawing = false
  private let sparks: Sparkline

  init(terminal: Terminal?) {
    self.terminal = terminal
    let locale = environmentVariable("LC_ALL") ?? environmentVariable("LC_CTYPE") ?? environmentVariable("LANG") ?? ""
    sparks = Sparkline(isUnicode: locale.uppercased().contains("UTF"))
  }

  /// Switches to the alternate screen and hides the cursor.
  func begin() { if terminal != nil { try? write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J") } }

  /// Restores the terminal.
  func end() {
    guard let terminal else { return }
    try? write("\u{1B}[?25h\u{1B}[?1049l")
    terminal.restore()
  }

  func press(_ keys: [UInt8]) {
    for key in keys {
      let character = Character(UnicodeScalar(key))
      if let order = TopModel.Order(rawValue: character) {
        self.order = order
        needsDrawing = true
      }
      if character == "t" { needsTrace = true }
      if character == "q" || key == 3 { isDone = true }
    }
  }

  func show(_ model: TopModel) throws {
    needsDrawing = false
    var lines = model.lines(by: order, sparks: sparks)
    guard let terminal else {
      try write(lines.joined(separator: "\n") + "\n\n")
      return
    }
    lines.insert("framepath top   sorted by \(order.title)   n r c l s: sort   t: trace   q: quit", at: 0)
    lines.insert(TextTable.printable(message), at: 1)
    let columns = HostProcess.terminalColumns ?? 80
    let rows = terminal.rows ?? 24
    // Overwrites from the top left and clears the rest of each line and of the screen: no flicker.
    let text = lines.prefix(max(rows - 1, 1)).map { String($0.prefix(columns)) + "\u{1B}[K" }
    try write("\u{1B}[H" + text.joined(separator: "\r\n") + "\u{1B}[J")
  }

  private func write(_ text: String) throws { try LinuxFile.writeToStandardOutput(Array(text.utf8)) }
}
