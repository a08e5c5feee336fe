extension OutputScheduler {
  /// The commit of the last decision was accepted by the kernel; from the times the scheduler learns its costs.
  ///
  /// - `begunAt`: when the blits were done and the commit began.
  public mutating func commitDone(begunAt: Nanoseconds, at now: Nanoseconds) {
    timer.noteCommit(now - begunAt)
    if hasPlannedBlits { timer.noteBlits(overrun: blitOverrun + begunAt - max(engineFreeAt, lastWake)) }
    hasPlannedBlits = false
    blitOverrun = 0
    // Nothing has happened to a VM: the flip is awaited.
    plan = makePlan(at: now)
  }

  /// The commit of the last decision cannot be made on any path, or is lost with its monitor: its frames are discarded
  /// as refused, and nothing is tried again.
  public mutating func commitAbandoned(at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    guard let failed = pendingFlip else { return }
    pendingFlip = nil
    (hasPlannedBlits, blitOverrun) = (false, 0)
    doneIndex = failed.index - 1
    for position in vms.indices {
      guard let frame = vms[position].staged else { continue }
      vms[position].staged = nil
      vms[position].stagedPromise = nil
      vms[position].servedIndex = min(vms[position].servedIndex, failed.index - 1)
      if !frame.isRepeat { discard(frame, of: position, .refusedByDevice, into: &decisions) }
    }
    flushReleases(at: now, into: &decisions)
    replan(at: now)
  }

  /// Gives back a frame that was taken for service; a newer one in the slot supersedes it.
  mutating func returnToSlot(
    _ position: Int, _ frame: HeldFrame, into decisions: inout FrameDecisions
  ) {
    guard vms[position].slot == nil else {
      if !frame.isRepeat { discard(frame, of: position, .superseded, into: &decisions) }
      return
    }
    vms[position].slot = frame
    vms[position].firstReady = frame.ready
  }

  /// The page-flip event: what was staged is on screen.
  ///
  /// - `sequence`, `timestamp`: the kernel's vblank counter and time of the event; no time where the driver's is of no
  ///   use: then no vblank is predicted from it.
  /// - Events without a pending commit are ignored.
  public mutating func flipDone(
    sequence: UInt64, timestamp: Nanoseconds?, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    decisions.removeAll()
    guard let flip = pendingFlip else { return }
    pendingFlip = nil
    var index = flip.index
    if let timestamp, !followsCommits {
      index = predictor.add(sequence: sequence, time: timestamp, notBefore: flip.index)
    }
    doneIndex = max(doneIndex, index)
    lastFlipAt = timestamp ?? now
    if !flip.isImmediate { timer.noteFlip(missedVblank: index > flip.index) }
    for position in vms.indices {
      guard let frame = vms[position].staged else { continue }
      vms[position].staged = nil
      show(frame, of: position, index: index, at: timestamp ?? now, into: &decisions)
    }
    flushReleases(at: now, into: &decisions)
    replan(at: now)
  }

  private mutating func show(
    _ frame: HeldFrame, of position: Int, index: Int64, at timestamp: Nanoseconds,
    into decisions: inout FrameDecisions
  ) {
    let replaced = vms[position].shown?.id
    vms[position].shown = frame
    // A commit that missed its vblank served a later one.
    if !frame.isRepeat { vms[position].servedIndex = max(vms[position].servedIndex, index) }
    decisions.shown.append(
      ShownFrame(
        vm: vms[position].id, frame: frame.id, replaced: replaced == frame.id ? nil : replaced, readyAt: frame.ready))
    guard !frame.isRepeat else { return }
    if followsCommits { noteVariableFlip(of: position, at: timestamp) }
    let latency = max(0, timestamp - frame.ready)
    vms[position].statistics.shown += 1
    vms[position].statistics.latencyNanoseconds += latency
    vms[position].statistics.maximumLatencyNanoseconds = max(
      vms[position].statistics.maximumLatencyNanoseconds, latency)
    var isLate = false
    if let promise = vms[position].stagedPromise, promise.isOnTime, promise.isWithinDeclared,
      index > promise.deadline
    {
      isLate = true
      vms[position].statistics.missed += 1
    }
    vms[position].stagedPromise = nil
    vms[position].protection.noteShown(missed: isLate)
  }

  /// A blit was carried out: the VM is charged for what it really took, and its next frames are planned by that.
  ///
  /// - `byteCount`: the bytes that were copied; they may differ from the order's, as damage is copied by whole rows.
  /// - `nanoseconds`: the processor time that the copy took. A busy host makes copies last longer, but not cost more.
  public mutating func blitDone(_ order: BlitOrder, byteCount: Int64, nanoseconds: Nanoseconds) {
    guard let position = position(of: order.vm) else { return }
    let difference = min(max(nanoseconds - order.nanoseconds, -1_000_000_000), 1_000_000_000)
    if rules.usesShares {
      vms[position].finish = max(
        0, vms[position].finish + FairClock.share(of: difference, weight: vms[position].weight))
    }
    vms[position].copyRate.note(byteCount: byteCount, nanoseconds: nanoseconds)
    copyRate.note(byteCount: byteCount, nanoseconds: nanoseconds)
    rules.picosecondsPerByte = copyRate.picosecondsPerByte
  }

  /// All blits of the last decision are carried out, at the time given: the next ones need not wait for their plan.
  public mutating func blitsDone(at now: Nanoseconds) {
    blitOverrun += min(max(now - engineFreeAt, -1_000_000_000), 1_000_000_000)
    engineFreeAt = now
    // Nothing has happened to a VM: only the engine is free.
    plan = makePlan(at: now)
  }

  /// Takes another mode of the output, after a mode set.
  ///
  /// Service levels are not admitted anew; a rate above the new refresh rate is held to it.
  public mutating func setTiming(_ timing: OutputTiming, at now: Nanoseconds) {
    guard timing != self.timing else { return }
    self.timing = timing
    predictor.setPeriod(timing.periodNanoseconds)
    timer = LatchTimer(configuration: configuration, period: timing.periodNanoseconds)
    isDirty = true
    refreshCadences()
    replan(at: now)
  }
}
