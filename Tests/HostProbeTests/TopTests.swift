import Foundation
import Testing

@testable import framepath

@Suite("Top and trace")
struct TopTests {
  private func status(_ flipped: [Int], copies: Int = 0, pid: Int = 7) throws -> StatusReport {
    let scanouts = flipped.enumerated().map { index, frames in
      """
      {"index": \(index), "output": "headless-\(index)", "width": 64, "height": 48, "format": "XRGB8888",
       "path": "copy", "pathReason": "", "framesPresented": \(frames), "framesFlipped": \(frames),
       "framesSuperseded": 0, "cpuCopies": \(copies), "copiedBytes": \(copies * 1000),
       "latchMedianNanoseconds": 50000, "latchP99Nanoseconds": \(100_000 * (index + 1))}
      """
    }
    let text = """
      {"outputs": [], "vms": [{"name": "web", "pid": \(pid), "scanouts": [\(scanouts.joined(separator: ","))]}]}
      """
    return try StatusReport(json: Array(text.utf8))
  }

  @Test func `rates are differences over the time between two looks`() throws {
    var model = TopModel()
    model.take(try status([100, 0]), at: 1_000_000_000)
    #expect(model.rows.map(\.rate) == [0, 0])
    #expect(model.rows[0].history.isEmpty)
    model.take(try status([130, 5], copies: 15), at: 1_500_000_000)
    #expect(model.rows.map(\.rate) == [60, 10])
    #expect(model.rows[0].copies == 0.5)
    #expect(model.rows[0].copiedBytes == 30_000)
    #expect(model.rows[0].history == [60])
    #expect(model.rows[0].latchP99 == 100)
  }

  @Test func `a VM that restarts has no negative rate, and its history starts over`() throws {
    var model = TopModel()
    model.take(try status([100]), at: 1_000_000_000)
    model.take(try status([160]), at: 2_000_000_000)
    model.take(try status([3], pid: 8), at: 3_000_000_000)
    #expect(model.rows.map(\.rate) == [0])
    #expect(model.rows[0].history.isEmpty)
    model.take(try status([1], pid: 8), at: 4_000_000_000)
    #expect(model.rows.map(\.rate) == [0])
  }

  @Test func `rows are sorted by what the key says`() throws {
    var model = TopModel()
    model.take(try status([0, 0]), at: 1_000_000_000)
    model.take(try status([10, 60]), at: 2_000_000_000)
    #expect(model.rows(by: .name).map(\.head) == [0, 1])
    #expect(model.rows(by: .rate).map(\.head) == [1, 0])
    #expect(model.rows(by: .latency).map(\.head) == [1, 0])
    #expect(TopModel.Order(rawValue: "x") == nil)
  }

  /// Two VMs on one output of 60 Hz: frames and blit time that its scheduler gave each.
  private func shared(_ frames: [Int], blitNanoseconds: [Int], outputs: [String] = ["A", "A"]) throws -> StatusReport {
    let vms = zip(["web", "db"], 0...).map { name, index in
      """
      {"name": "\(name)", "pid": \(index), "weight": \(100 * (index + 1)), "scanouts": [
       {"index": 0, "output": "\(outputs[index])", "width": 64, "height": 48, "framesPresented": 0,
        "framesFlipped": 0, "framesSuperseded": 0, "cpuCopies": 0, "copiedBytes": 0,
        "grantedFrames": \(frames[index]), "grantedBlitNanoseconds": \(blitNanoseconds[index])}]}
      """
    }
    let text = """
      {"outputs": [{"name": "A", "kind": "headless", "width": 64, "height": 48, "refreshMillihertz": 60000,
                    "commits": 0, "missedVblanks": 0}], "vms": [\(vms.joined(separator: ","))]}
      """
    return try StatusReport(json: Array(text.utf8))
  }

  @Test func `a share is of what the output's scheduler gave: blit time where pictures are composed, else frames`()
    throws
  {
    var model = TopModel()
    model.take(try shared([100, 100], blitNanoseconds: [5000, 5000]), at: 1_000_000_000)
    #expect(model.rows.map(\.share) == [0, 0])
    model.take(try shared([160, 130], blitNanoseconds: [6000, 8000]), at: 2_000_000_000)
    #expect(model.rows.map(\.share) == [0.25, 0.75])
    #expect(model.rows.map(\.vblanks) == [1, 0.5])
    #expect(model.rows.map(\.weight) == [100, 200])
    #expect(model.rows(by: .share).map(\.vm) == ["db", "web"])
    model.take(try shared([190, 140], blitNanoseconds: [6000, 8000]), at: 3_000_000_000)
    #expect(model.rows.map(\.share) == [0.75, 0.25])
    // Another output's scheduler counts anew.
    model.take(try shared([200, 10], blitNanoseconds: [6000, 0], outputs: ["A", "B"]), at: 4_000_000_000)
    #expect(model.rows.map(\.share) == [1, 0])
  }

  @Test func `a sparkline has one character for each value`() {
    let text = Sparkline(isUnicode: true).text([0, 30, 60])
    #expect(text.count == TopModel.historyLength)
    #expect(text.hasSuffix("▁▅█"))
    #expect(Sparkline(isUnicode: false).text([0, 0]).hasSuffix("__"))
  }

  @Test func `a trace has a frame's stages in their tracks`() throws {
    let text = """
      {"nowNanoseconds": 9000000, "scanouts": [{"vm": "web", "pid": 7, "index": 1, "output": "A", "frames": [
        {"frame": 1, "path": "copy", "copies": 1, "copiedBytes": 5, "readyNanoseconds": 1000000,
         "presentedNanoseconds": 1500000, "latchedNanoseconds": 1600000, "flippedNanoseconds": 3000000,
         "releasedNanoseconds": 5200000, "outcome": "flipped"},
        {"frame": 2, "path": "copy", "copies": 1, "copiedBytes": 5, "readyNanoseconds": 2000000,
         "presentedNanoseconds": 2500000, "latchedNanoseconds": 0, "flippedNanoseconds": 0,
         "releasedNanoseconds": 0, "outcome": "superseded"},
        {"frame": 3, "path": "copy", "copies": 1, "copiedBytes": 5, "readyNanoseconds": 3000000,
         "presentedNanoseconds": 3500000, "latchedNanoseconds": 3600000, "flippedNanoseconds": 5000000,
         "releasedNanoseconds": 0, "outcome": "flipped"}]}]}
      """
    let report = try TraceReport(json: Array(text.utf8))
    let trace = ChromeTrace(report, seconds: 10, vm: "web")
    let root = try #require(try JSONSerialization.jsonObject(with: Data(try trace.json())) as? [String: Any])
    let events = try #require(root["traceEvents"] as? [[String: Any]])
    let spans = events.filter { $0["ph"] as? String == "X" }
    let first = spans.filter { $0["name"] as? String == "frame 1" }
    #expect(first.map { $0["tid"] as? Int } == [9, 10, 11, 12])
    #expect(first.map { $0["ts"] as? Double } == [1000, 1500, 1600, 3000])
    // It left the screen when frame 3 came, not when its buffer was told to be free.
    #expect(first.map { $0["dur"] as? Double } == [500, 100, 1400, 2000])
    #expect(spans.filter { $0["name"] as? String == "frame 2" }.count == 1)
    #expect(events.contains { $0["name"] as? String == "frame 2 superseded" && $0["ph"] as? String == "i" })
    #expect(ChromeTrace(report, seconds: 10, vm: "db").traceEvents.isEmpty)
    let recent = ChromeTrace(report, seconds: 0.006, vm: nil)
    #expect(!recent.traceEvents.contains { $0.name == "frame 1" })
  }
}
