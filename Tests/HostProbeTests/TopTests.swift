import Foundation
import StatusModel
import Testing

@testable import framepath

@Suite("Top and trace")
struct TopTests {
  private func status(
    _ flipped: [UInt64], at seconds: Double, copies: UInt64 = 0, pid: Int32 = 7
  ) -> DaemonStatus {
    let scanouts = flipped.enumerated().map { index, frames in
      DaemonStatus.Scanout.sample(
        index, output: "headless-\(index)", presented: frames, flipped: frames, copies: copies,
        copiedBytes: copies * 1000, latchP99Nanoseconds: 100_000 * UInt64(index + 1))
    }
    return .sample(at: seconds, vms: [.sample("web", pid: pid, scanouts: scanouts)])
  }

  @Test func `rates are differences over the time between two looks`() throws {
    var model = TopModel()
    model.take(status([100, 0], at: 1))
    #expect(model.rows.map(\.rate) == [0, 0])
    #expect(model.rows[0].history.isEmpty)
    model.take(status([130, 5], at: 1.5, copies: 15))
    #expect(model.rows.map(\.rate) == [60, 10])
    #expect(model.rows[0].copies == 0.5)
    #expect(model.rows[0].copiedBytes == 30_000)
    #expect(model.rows[0].history == [60])
    #expect(model.rows[0].latchP99 == 100)
  }

  @Test func `a status within an interval adds and removes VMs, and keeps the rates of the others`() throws {
    var model = TopModel()
    model.take(status([100], at: 1))
    model.take(status([160], at: 2))
    model.update(
      .sample(
        at: 2.1,
        vms: [
          .sample("web", pid: 7, scanouts: [.sample(0, output: "headless-1", presented: 166, flipped: 166)]),
          .sample("db", pid: 8, scanouts: [.sample(0, output: "headless-0", presented: 1, flipped: 1)]),
        ]))
    #expect(model.rows.map(\.vm) == ["web", "db"])
    #expect(model.rows.map(\.output) == ["headless-1", "headless-0"])
    #expect(model.rows.map(\.rate) == [60, 0])
    #expect(model.rows.map(\.history) == [[60], []])
    model.update(.sample(at: 2.2, vms: []))
    #expect(model.rows.isEmpty)
    model.take(status([190], at: 3))
    #expect(model.rows.map(\.rate) == [30])
    #expect(model.rows[0].history == [60, 30])
  }

  @Test func `a VM that restarts has no negative rate, and its history starts over`() throws {
    var model = TopModel()
    model.take(status([100], at: 1))
    model.take(status([160], at: 2))
    model.take(status([3], at: 3, pid: 8))
    #expect(model.rows.map(\.rate) == [0])
    #expect(model.rows[0].history.isEmpty)
    model.take(status([1], at: 4, pid: 8))
    #expect(model.rows.map(\.rate) == [0])
  }

  @Test func `rows are sorted by the key's column`() throws {
    var model = TopModel()
    model.take(status([0, 0], at: 1))
    model.take(status([10, 60], at: 2))
    #expect(model.rows(by: .name).map(\.head) == [0, 1])
    #expect(model.rows(by: .rate).map(\.head) == [1, 0])
    #expect(model.rows(by: .latency).map(\.head) == [1, 0])
    #expect(TopModel.Order(rawValue: "x") == nil)
  }

  /// Two VMs on one output of 60 Hz: frames and blit time that its scheduler gave each.
  private func shared(
    _ frames: [UInt64], at seconds: Double, blitNanoseconds: [UInt64], outputs: [String] = ["A", "A"]
  ) -> DaemonStatus {
    let vms = (0..<2).map { index in
      let scanout = DaemonStatus.Scanout.sample(
        output: outputs[index], grantedFrames: frames[index], grantedBlitNanoseconds: blitNanoseconds[index])
      return DaemonStatus.VM.sample(
        ["web", "db"][index], pid: Int32(index), weight: Int64(100 * (index + 1)), scanouts: [scanout])
    }
    return .sample(at: seconds, outputs: [.sample("A")], vms: vms)
  }

  @Test func `a share is of the blit time if frames are composed, else of the frames shown`() {
    var model = TopModel()
    model.take(shared([100, 100], at: 1, blitNanoseconds: [5000, 5000]))
    #expect(model.rows.map(\.share) == [0, 0])
    model.take(shared([160, 130], at: 2, blitNanoseconds: [6000, 8000]))
    #expect(model.rows.map(\.share) == [0.25, 0.75])
    #expect(model.rows.map(\.vblanks) == [1, 0.5])
    #expect(model.rows.map(\.weight) == [100, 200])
    #expect(model.rows(by: .share).map(\.vm) == ["db", "web"])
    model.take(shared([190, 140], at: 3, blitNanoseconds: [6000, 8000]))
    #expect(model.rows.map(\.share) == [0.75, 0.25])
    // Another output's scheduler starts at 0.
    model.take(shared([200, 10], at: 4, blitNanoseconds: [6000, 0], outputs: ["A", "B"]))
    #expect(model.rows.map(\.share) == [1, 0])
  }

  @Test func `a sparkline has one character for each value`() {
    let text = Sparkline(isUnicode: true).text([0, 30, 60])
    #expect(text.count == TopModel.historyLength)
    #expect(text.hasSuffix("▁▅█"))
    #expect(Sparkline(isUnicode: false).text([0, 0]).hasSuffix("__"))
  }

  @Test func `a trace has a frame's stages in their tracks`() throws {
    let frame = { (number: UInt64, times: [UInt64?], outcome: DaemonTrace.Outcome) in
      DaemonTrace.Frame(
        frame: number, path: .copy, copies: 1, copiedBytes: 5, readyNanoseconds: times[0],
        presentedNanoseconds: times[1] ?? 0, latchedNanoseconds: times[2], flippedNanoseconds: times[3],
        releasedNanoseconds: times[4], outcome: outcome)
    }
    let report = DaemonTrace(
      nowNanoseconds: 9_000_000,
      scanouts: [
        DaemonTrace.Scanout(
          vm: "web", pid: 7, index: 1, output: "A",
          frames: [
            frame(1, [1_000_000, 1_500_000, 1_600_000, 3_000_000, 5_200_000], .flipped),
            frame(2, [2_000_000, 2_500_000, nil, nil, nil], .superseded),
            frame(3, [3_000_000, 3_500_000, 3_600_000, 5_000_000, nil], .flipped),
          ])
      ])
    let trace = ChromeTrace(report, seconds: 10, vm: "web")
    let root = try #require(try JSONSerialization.jsonObject(with: Data(try trace.json())) as? [String: Any])
    let events = try #require(root["traceEvents"] as? [[String: Any]])
    let spans = events.filter { $0["ph"] as? String == "X" }
    let first = spans.filter { $0["name"] as? String == "frame 1" }
    #expect(first.map { $0["tid"] as? Int } == [9, 10, 11, 12])
    #expect(first.map { $0["ts"] as? Double } == [1000, 1500, 1600, 3000])
    // It left the screen at the flip of frame 3, not when its release was reported.
    #expect(first.map { $0["dur"] as? Double } == [500, 100, 1400, 2000])
    #expect(spans.filter { $0["name"] as? String == "frame 2" }.count == 1)
    #expect(events.contains { $0["name"] as? String == "frame 2 superseded" && $0["ph"] as? String == "i" })
    #expect(ChromeTrace(report, seconds: 10, vm: "db").traceEvents.isEmpty)
    let recent = ChromeTrace(report, seconds: 0.006, vm: nil)
    #expect(!recent.traceEvents.contains { $0.name == "frame 1" })
  }
}
