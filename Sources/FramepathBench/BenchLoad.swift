import LinuxIO

/// How a phase drives the guest.
enum BenchPace: Equatable {
  /// The next frame as soon as the device lets us: with two pictures, two frames may be open.
  case unpaced
  /// One frame per so many nanoseconds, and none before the last one is answered.
  case every(UInt64)
}

/// What the guest saw of a phase.
struct LoadFigures {
  var frames = 0
  var nanoseconds: UInt64 = 0
  /// From the kick to the answer of a frame's last request; of paced frames alone.
  var answers: [UInt64] = []

  var framesPerSecond: Double { nanoseconds == 0 ? 0 : Double(frames) * 1e9 / Double(nanoseconds) }
}

extension BenchGuest {
  /// Shows frames for a while; all are answered at the end.
  ///
  /// - Parameter onFrame: called after each answered frame of a paced load, with the time of its kick.
  func run(
    _ pace: BenchPace, _ change: Change, nanoseconds: UInt64, onFrame: (UInt64) throws(BenchError) -> Void = { _ in }
  ) throws(BenchError) -> LoadFigures {
    var figures = LoadFigures()
    let start = monotonicNanoseconds()
    let deadline = start + nanoseconds
    switch pace {
    case .unpaced:
      // A guest that waits for the screen has one frame open: Linux's commit returns only then.
      let limit = pictures == .images ? requestCount(change) : 0
      repeat {
        try wait(untilOpen: limit)
        try showFrame(change)
        figures.frames += 1
      } while monotonicNanoseconds() < deadline
    case .every(let period):
      figures.answers.reserveCapacity(4096)
      var due = start
      repeat {
        sleep(untilNanoseconds: due)
        let kicked = try showFrame(change)
        try wait(untilOpen: 0)
        figures.answers.append(monotonicNanoseconds() - kicked)
        figures.frames += 1
        try onFrame(kicked)
        due = max(due + period, monotonicNanoseconds())
      } while due < deadline
    }
    try finish()
    figures.nanoseconds = monotonicNanoseconds() - start
    return figures
  }
}
