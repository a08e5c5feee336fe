import Testing

extension LabHost {
  /// Expects a VM's first scanout to show a picture eventually: an unpaced guest does not wait for its frame to be on
  /// screen.
  func expect(vm: String, shows wanted: Picture, _ location: SourceLocation = #_sourceLocation) throws {
    try expect(wanted, location) { try snapshot(vm: vm) }
  }

  /// Expects an output to show a picture eventually.
  func expect(output: String, shows wanted: Picture, _ location: SourceLocation = #_sourceLocation) throws {
    try expect(wanted, location) { try snapshot(output: output) }
  }

  private func expect(_ wanted: Picture, _ location: SourceLocation, take: () throws -> Picture) throws {
    // Tests of timing measure it themselves: a busy machine's seconds are long.
    let deadline = ContinuousClock.now + .seconds(15)
    while true {
      // Checking a picture can take long: one taken after the deadline decides.
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
