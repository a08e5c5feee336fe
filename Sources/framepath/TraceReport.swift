import FoundationEssentials
import HostProbe

/// The daemon's answer to TRACE; keys as Docs/Protocol.md has them.
struct TraceReport: Decodable {
  /// A frame and when it did what, CLOCK_MONOTONIC nanoseconds, 0 for never.
  struct Frame: Decodable {
    var frame: UInt64
    var path: String
    var copies: UInt32
    var copiedBytes: UInt64
    var readyNanoseconds: UInt64
    var presentedNanoseconds: UInt64
    var latchedNanoseconds: UInt64
    var flippedNanoseconds: UInt64
    var releasedNanoseconds: UInt64
    var outcome: String
  }

  /// A head of a VM.
  struct Scanout: Decodable {
    var vm: String
    var pid: Int
    var index: Int
    var output: String
    var frames: [Frame]
  }

  var nowNanoseconds: UInt64
  var scanouts: [Scanout]

  /// From the daemon's JSON.
  init(json: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(TraceReport.self, from: Data(json))
    } catch {
      throw HostProbeError("framepathd's trace is not what this framepath understands. (\(error))")
    }
  }
}

/// One event of the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing read.
struct TraceEvent: Encodable {
  /// What is told of it beside its times.
  struct Arguments: Encodable {
    var name: String?
    var sortIndex: Int?
    var frame: UInt64?
    var path: String?
    var copies: UInt32?
    var copiedBytes: UInt64?
    var outcome: String?

    enum CodingKeys: String, CodingKey {
      case name, frame, path, copies, copiedBytes, outcome
      case sortIndex = "sort_index"
    }
  }

  var name: String
  /// X: from `ts` for `dur`; i: at `ts`; M: a name.
  var ph: String
  var pid: Int
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

  /// The stages, each a track of its own below its VM: a frame is in one after the other.
  private static let stages = ["1 backend", "2 waits for its commit", "3 waits for the vblank", "4 on screen"]

  /// Every frame of the last `seconds`, of one VM or of all.
  init(_ report: TraceReport, seconds: Double, vm: String?) {
    let span = UInt64(max(seconds, 0) * 1e9)
    let oldest = report.nowNanoseconds > span ? report.nowNanoseconds - span : 0
    for scanout in report.scanouts where vm == nil || scanout.vm == vm {
      let tracks = scanout.index * 8
      traceEvents.append(ChromeTrace.naming("process_name", scanout.pid, 0, "VM \(scanout.vm)"))
      for (index, stage) in ChromeTrace.stages.enumerated() {
        let name = "head \(scanout.index) (\(scanout.output)): \(stage)"
        traceEvents.append(ChromeTrace.naming("thread_name", scanout.pid, tracks + index + 1, name))
        var order = ChromeTrace.naming("thread_sort_index", scanout.pid, tracks + index + 1, nil)
        order.args.sortIndex = tracks + index + 1
        traceEvents.append(order)
      }
      for (place, frame) in scanout.frames.enumerated() where frame.presentedNanoseconds >= oldest {
        let following = scanout.frames[(place + 1)...].first { $0.flippedNanoseconds > 0 }
        add(frame, scanout, tracks, nextFlip: following?.flippedNanoseconds, now: report.nowNanoseconds)
      }
    }
  }

  private mutating func add(
    _ frame: TraceReport.Frame, _ scanout: TraceReport.Scanout, _ tracks: Int, nextFlip: UInt64?, now: UInt64
  ) {
    // A frame has left the screen when the next one is there, even if the word of it came later.
    var gone = frame.releasedNanoseconds > frame.flippedNanoseconds ? frame.releasedNanoseconds : now
    if let nextFlip { gone = min(gone, nextFlip) }
    let spans = [
      (frame.readyNanoseconds, frame.presentedNanoseconds), (frame.presentedNanoseconds, frame.latchedNanoseconds),
      (frame.latchedNanoseconds, frame.flippedNanoseconds), (frame.flippedNanoseconds, gone),
    ]
    let arguments = TraceEvent.Arguments(
      frame: frame.frame, path: frame.path, copies: frame.copies, copiedBytes: frame.copiedBytes, outcome: frame.outcome
    )
    for (index, span) in spans.enumerated() where span.0 > 0 && span.1 >= span.0 {
      traceEvents.append(
        TraceEvent(
          name: "frame \(frame.frame)", ph: "X", pid: scanout.pid, tid: tracks + index + 1, ts: Double(span.0) / 1000,
          dur: Double(span.1 - span.0) / 1000, args: arguments))
    }
    guard frame.outcome == "superseded" || frame.outcome == "rejected" else { return }
    traceEvents.append(
      TraceEvent(
        name: "frame \(frame.frame) \(frame.outcome)", ph: "i", pid: scanout.pid, tid: tracks + 2,
        ts: Double(frame.presentedNanoseconds) / 1000, s: "t", args: arguments))
  }

  private static func naming(_ kind: String, _ pid: Int, _ tid: Int, _ name: String?) -> TraceEvent {
    TraceEvent(name: kind, ph: "M", pid: pid, tid: tid, args: TraceEvent.Arguments(name: name))
  }

  /// The file's bytes.
  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Array(try encoder.encode(self)) + [0x0A]
  }
}
