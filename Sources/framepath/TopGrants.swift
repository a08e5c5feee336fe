import StatusModel

/// The service that each VM got from its output's scheduler since the last status.
struct TopGrants {
  private struct Grant {
    var output: String
    var frames: UInt64
    var blitNanoseconds: UInt64
  }

  private var grants: [String: Grant] = [:]
  /// Totals of each output.
  private var frames: [String: UInt64] = [:]
  private var blitNanoseconds: [String: UInt64] = [:]
  private var vblankCounts: [String: Double] = [:]

  /// The differences to the last status, by `TopModel.key`; `seconds` is the time between the two.
  init(_ status: DaemonStatus, last: [String: DaemonStatus.Scanout], seconds: Double) {
    for output in status.outputs { vblankCounts[output.name] = Double(output.refreshMillihertz) / 1000 * seconds }
    for vm in status.vms {
      for scanout in vm.scanouts {
        let key = TopModel.key(vm, scanout)
        let before = last[key]
        let output = scanout.output ?? ""
        // The earlier counters are those of another output's scheduler.
        let isSame = before?.output == scanout.output
        let grant = Grant(
          output: output,
          frames: isSame ? TopModel.difference(scanout.grantedFrames ?? 0, before?.grantedFrames) : 0,
          blitNanoseconds: isSame
            ? TopModel.difference(scanout.grantedBlitNanoseconds ?? 0, before?.grantedBlitNanoseconds) : 0)
        grants[key] = grant
        frames[output, default: 0] += grant.frames
        blitNanoseconds[output, default: 0] += grant.blitNanoseconds
      }
    }
  }

  /// A scanout's share of its output's service, 0 to 1; 0 without any service.
  func share(_ key: String) -> Double {
    guard let grant = grants[key] else { return 0 }
    if let all = blitNanoseconds[grant.output], all > 0 { return Double(grant.blitNanoseconds) / Double(all) }
    guard let all = frames[grant.output], all > 0 else { return 0 }
    return Double(grant.frames) / Double(all)
  }

  /// The share of its output's vblanks that showed a new frame of a scanout, 0 to 1.
  func vblanks(_ key: String) -> Double {
    guard let grant = grants[key], let count = vblankCounts[grant.output], count > 0 else { return 0 }
    return min(Double(grant.frames) / count, 1)
  }
}
