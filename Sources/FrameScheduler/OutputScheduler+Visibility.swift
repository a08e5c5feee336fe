extension OutputScheduler {
  /// Says whether anybody sees the output: nobody does while it is blank or off.
  ///
  /// Unseen, its VMs go on at their unseen rates, their newest frames ready, and nothing of theirs is committed. Both
  /// changes ask for a commit of the whole output: dark, or with every VM's newest frame.
  public mutating func setVisible(_ visible: Bool, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    guard visible != isVisible else { return }
    isVisible = visible
    isDirty = true
    for position in vms.indices {
      if visible {
        if isSeen(position) { repeatShown(of: position) }
      } else {
        setAside(position, into: &decisions)
      }
    }
    flushReleases(at: now, into: &decisions)
    replan(at: now)
  }

  /// A VM is not seen from now on: what it had begun but not committed goes back to its slot, and is paced by fences.
  mutating func setAside(_ position: Int, into decisions: inout FrameDecisions) {
    if vms[position].slot?.isRepeat == true { vms[position].slot = nil }
    for unseen in [vms[position].working, vms[position].completed] {
      if let unseen { returnToSlot(position, unseen, into: &decisions) }
    }
    vms[position].completed = nil
    vms[position].stopCopying()
    // While it was seen, the flip would have been its answer.
    if !configuration.releasesSeenFrames, let slot = vms[position].slot, !slot.isRepeat { vms[position].hold(slot) }
  }
}
