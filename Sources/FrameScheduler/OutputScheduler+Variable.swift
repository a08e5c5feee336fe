/// A variable refresh rate: the display waits for the commit instead of the commit for the display.
///
/// Only for a VM that has the output to itself, because its commits then delay no other VM. There is no vblank to
/// predict or to miss; a frame is committed when it is ready, and a cap is an interval of time. The driver refreshes
/// the display before its longest interval ends, and repeats frames if necessary (low frame rate compensation).
extension OutputScheduler {
  /// How long after the last flip a cursor move waits for a frame to join.
  static let touchNanoseconds: Nanoseconds = 16_666_667

  /// Whether the display follows the commits now.
  @inline(__always)
  public var followsCommits: Bool { isVariable && isAlone }

  /// Sets whether the hardware refreshes when a frame comes, up to the mode's rate.
  public mutating func setVariableRefresh(_ on: Bool, at now: Nanoseconds) {
    guard on != isVariable else { return }
    isVariable = on
    // Flips of the other kind do not predict later ones.
    predictor.setPeriod(timing.periodNanoseconds)
    refreshCadences()
    for position in vms.indices { vms[position].opensAt = .min / 2 }
    isDirty = true
    replan(at: now)
  }

  func makeVariablePlan(at now: Nanoseconds) -> Plan? {
    var due = isDirty ? now : Int64.max
    if isTouched { due = min(due, (lastFlipAt ?? now) + Self.touchNanoseconds) }
    for position in vms.indices where eligibleIndex(position) != nil {
      due = min(due, vms[position].slot?.isRepeat == true ? now : vms[position].opensAt)
    }
    guard due < .max else { return nil }
    let wake = max(now, due, engineFreeAt)
    return Plan(
      index: doneIndex + 1, wake: wake, final: wake, lastCall: wake, latchBy: wake + timing.periodNanoseconds,
      promiseBy: wake,
      reserve: 0, isImmediate: true)
  }

  /// Whether a VM's rate lets its next frame go now.
  @inline(__always)
  func isOpen(_ position: Int, at now: Nanoseconds) -> Bool {
    !followsCommits || vms[position].slot?.isRepeat == true || vms[position].opensAt <= now
  }

  /// A frame of a VM came on screen: its next one is held until its rate allows it.
  mutating func noteVariableFlip(of position: Int, at time: Nanoseconds) {
    var rate = vms[position].cap.rate
    if policy == .sla, let level = vms[position].configuration.serviceLevel { rate = min(rate, level.rateMillihertz) }
    guard rate < timing.refreshMillihertz else { return }
    let interval = 1_000_000_000_000 / rate
    // On its own grid, so that a little lateness does not lower the rate.
    vms[position].opensAt = max(vms[position].opensAt + interval, time + interval - interval / 32)
  }
}
