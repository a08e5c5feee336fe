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
    abstract: "Shows live how many frames each VM gets on its screen, by which path and how late.",
    discussion: """
      Keys: n, r, c, l, s sort by name, frame rate, copied bytes, latency and share; t writes a trace (see framepath \
      trace); q quits. Where there is no terminal it prints one table after the other, once in --interval.

      In a terminal a VM that comes, goes or takes another output or path is shown as soon as the daemon reports it. \
      Rates are not reported: they are read once in --interval, and only while top runs.

      LATCH is the time from the guest's hand-over to the commit, over the life of the screen. SHARE is the VM's part \
      of what its output's scheduler gave: of the time for copying into a shared picture, else of the frames shown. \
      VBLANKS is the part of the output's vblanks that showed a new frame of it.

      Examples:
        framepath top
        framepath top --interval 0.5 --sort latency
        framepath top --count 10 > top.txt
      """)

  /// What to sort by at first.
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
  @Option(help: ArgumentHelp("End after so many tables.", valueName: "count")) var count: Int?
  @Option(help: "What to sort by at first.") var sort = Sort.rate
  @OptionGroup var daemon: DaemonOptions

  func validate() throws {
    guard (0.1...60).contains(interval) else { throw ValidationError("--interval takes 0.1 to 60 seconds.") }
    guard count.map({ $0 > 0 }) ?? true else { throw ValidationError("--count takes 1 or more.") }
  }

  func run() throws {
    let loop = try EventLoop()
    let feed = StatusFeed(daemon, loop: loop)
    // The first status is half of a rate; its error is printed before the screen changes.
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
        // The daemon may come back.
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

/// Where the tables go: the whole terminal, or one after the other.
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

  /// Takes the whole screen, without a cursor.
  func begin() { if terminal != nil { try? write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J") } }

  /// Gives everything back.
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
    // From the upper left corner, each line to its end, and nothing below: no flicker.
    let text = lines.prefix(max(rows - 1, 1)).map { String($0.prefix(columns)) + "\u{1B}[K" }
    try write("\u{1B}[H" + text.joined(separator: "\r\n") + "\u{1B}[J")
  }

  private func write(_ text: String) throws { try LinuxFile.writeToStandardOutput(Array(text.utf8)) }
}
