import LinuxIO

/// The load of a phase.
enum BenchPace: Equatable {
  /// The next frame as soon as the device allows it.
  case unpaced
  /// One frame per interval in nanoseconds, and none before the last one is answered.
  case every(UInt64)
}

/// The guest's results of a phase.
struct LoadFigures {
  var frames = 0
  var nanoseconds: UInt64 = 0
  /// The time from the kick to the answer of a frame's last request, for paced frames.
  var answers: [UInt64] = []
  /// The present times of the last frames.
  var kicks = KickTimes()

  var framesPerSecond: Double { nanoseconds == 0 ? 0 : Double(frames) * 1e9 / Double(nanoseconds) }
}

extension FrameSource {
  /// Shows frames for a while; all are answered at the end.
  func run(_ pace: BenchPace, _ change: FrameChange, nanoseconds: UInt64) throws(BenchError) -> LoadFigures {
    var figures = LoadFigures()
    let start = monotonicNanoseconds()
    let deadline = start + nanoseconds
    switch pace {
    case .unpaced:
      repeat {
        try waitForTurn(change)
        figures.kicks.add(try showFrame(change))
        figures.frames += 1
      } while monotonicNanoseconds() < deadline
    case .every(let period):
      figures.answers.reserveCapacity(4096)
      var due = start
      repeat {
        sleep(untilNanoseconds: due)
        let kicked = try showFrame(change)
        figures.kicks.add(kicked)
        try waitForAnswer()
        figures.answers.append(monotonicNanoseconds() - kicked)
        figures.frames += 1
        due = max(due + period, monotonicNanoseconds())
      } while due < deadline
    }
    try finish()
    figures.nanoseconds = monotonicNanoseconds() - start
    return figures
  }
}
