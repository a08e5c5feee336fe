import Testing

extension LabHost {
  /// Expects a VM's first scanout to show a picture within a second: a guest that nobody paces does not wait for its
  /// frame to be on screen.
  func expect(vm: String, shows wanted: Picture, _ location: SourceLocation = #_sourceLocation) throws {
    try expect(wanted, location) { try snapshot(vm: vm) }
  }

  /// Expects an output to show a picture within a second.
  func expect(output: String, shows wanted: Picture, _ location: SourceLocation = #_sourceLocation) throws {
    try expect(wanted, location) { try snapshot(output: output) }
  }

  private func expect(_ wanted: Picture, _ location: SourceLocation, take: () throws -> Picture) throws {
    // A machine in a machine is slow: what it does within a second elsewhere takes longer there.
    let deadline = ContinuousClock.now + .seconds(Lab.card == nil ? 1 : 10)
    while true {
      // Judging a picture can take longer than the whole second: one taken after it has the last word.
      let isLast = ContinuousClock.now >= deadline
      let verdict: String?
      do {
        verdict = try take().difference(from: wanted)
      } catch {
        verdict = "\(error)"
      }
      guard let verdict else { return }
      if isLast {
        Issue.record(Comment(rawValue: verdict), sourceLocation: location)
        return
      }
      try LabHost.pause(milliseconds: 20)
    }
  }
}
