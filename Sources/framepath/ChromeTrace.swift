import FoundationEssentials
import StatusModel

/// One event of the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing read.
struct TraceEvent: Encodable {
  /// Details of an event besides its times.
  struct Arguments: Encodable {
    var name: String?
    var sortIndex: Int?
    var frame: UInt64?
    var path: ScanoutPath?
    var copies: UInt32?
    var copiedBytes: UInt64?
    var outcome: DaemonTrace.Outcome?

    enum CodingKeys: String, CodingKey {
      case name, frame, path, copies, copiedBytes, outcome
      case sortIndex = "sort_index"
    }
  }

  var name: String
  /// X: from `ts` for `dur`; i: instant at `ts`; M: metadata, such as a name.
  var ph: String
  var pid: Int32
  var tid: Int
  /// µs.
  var ts: Double?
  /// µs.
  var dur: Double?
  /// Scope of an instant: the thread.
  var s: String?
  var args: Arguments
}

/// The whole file.
struct ChromeTrace: Encodable {
  var displayTimeUnit = "ms"
  var traceEvents: [TraceEvent] = []

  /// The stages that a frame passes through, each a track below its VM.
  private static let stages = ["1 backend", "2 waits for its commit", "3 waits for the vblank", "4 on screen"]

  /// Every frame of the last `seconds`, of one VM or of all.
  init(_ trace: DaemonTrace, seconds: Double, vm: String?) {
    let span = UInt64(max(seconds, 0) * 1e9)
    let oldest = trace.nowNanoseconds > span ? trace.nowNanoseconds - span : 0
    for scanout in trace.scanouts where vm == nil || scanout.vm == vm {
      let tracks = scanout.index &* 8
      traceEvents.append(ChromeTrace.naming("process_name", scanout.pid, 0, "VM \(scanout.vm)"))
      for (index, stage) in ChromeTrace.stages.enumerated() {
        let name = "head \(scanout.index) (\(scanout.output ?? "no output")): \(stage)"
        traceEvents.append(ChromeTrace.naming("thread_name", scanout.pid, tracks &+ index + 1, name))
        var order = ChromeTrace.naming("thread_sort_index", scanout.pid, tracks &+ index + 1, nil)
        order.args.sortIndex = tracks &+ index + 1
        traceEvents.append(order)
      }
      for (place, frame) in scanout.frames.enumerated() where frame.presentedNanoseconds >= oldest {
        let nextFlip = scanout.frames[(place + 1)...].lazy.compactMap(\.flippedNanoseconds).first
        add(frame, scanout, tracks, nextFlip: nextFlip, now: trace.nowNanoseconds)
      }
    }
  }

  private mutating func add(
    _ frame: DaemonTrace.Frame, _ scanout: DaemonTrace.Scanout, _ tracks: Int, nextFlip: UInt64?, now: UInt64
  ) {
    // A frame leaves the screen at the next flip, even if its release is reported later.
    var gone = frame.releasedNanoseconds ?? now
    if let nextFlip { gone = min(gone, nextFlip) }
    let spans: [(begin: UInt64?, end: UInt64?)] = [
      (frame.readyNanoseconds, frame.presentedNanoseconds), (frame.presentedNanoseconds, frame.latchedNanoseconds),
      (frame.latchedNanoseconds, frame.flippedNanoseconds), (frame.flippedNanoseconds, gone),
    ]
    let arguments = TraceEvent.Arguments(
      frame: frame.frame, path: frame.path, copies: frame.copies, copiedBytes: frame.copiedBytes, outcome: frame.outcome
    )
    for (index, span) in spans.enumerated() {
      guard let begin = span.begin, let end = span.end, end >= begin else { continue }
      traceEvents.append(
        TraceEvent(
          name: "frame \(frame.frame)", ph: "X", pid: scanout.pid, tid: tracks &+ index + 1, ts: Double(begin) / 1000,
          dur: Double(end - begin) / 1000, args: arguments))
    }
    guard frame.outcome == .superseded || frame.outcome == .rejected else { return }
    traceEvents.append(
      TraceEvent(
        name: "frame \(frame.frame) \(frame.outcome.rawValue)", ph: "i", pid: scanout.pid, tid: tracks + 2,
        ts: Double(frame.presentedNanoseconds) / 1000, s: "t", args: arguments))
  }

  private static func naming(_ kind: String, _ pid: Int32, _ tid: Int, _ name: String?) -> TraceEvent {
    TraceEvent(name: kind, ph: "M", pid: pid, tid: tid, args: TraceEvent.Arguments(name: name))
  }

  /// The file's bytes.
  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Array(try encoder.encode(self)) + [0x0A]
  }
}
