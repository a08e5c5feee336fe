import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol
import Scanout

extension Presenter {
  /// Carries out the scheduler's decisions: feedback now; copies and the commit in `carryOut`, because they may take
  /// several loop iterations.
  func accept(_ decisions: consuming FrameDecisions) {
    for index in decisions.discarded.indices {
      let discarded = decisions.discarded[index]
      guard let view = view(discarded.vm), let old = view.discard(discarded.frame) else { continue }
      supersede(old, of: view)
    }
    for index in decisions.releases.indices { reportUnseen(decisions.releases[index]) }
    if decisions.promotesAhead, case .tiled(let tiled) = composition { tiled.promoteAhead() }
    if decisions.commits {
      for index in decisions.latches.indices {
        guard let view = view(decisions.latches[index].vm) else { continue }
        view.staged = view.take(decisions.latches[index].frame)
        if isTiled { refuseUnreadable(view) }
      }
    }
    work.add(decisions.blits)
    if decisions.commits {
      work.add(
        DecidedWork.Commit(
          isFull: decisions.needsFullDamage, showsFallback: decisions.showsFallback, isVariable: decisions.isVariable))
    }
    schedule.recycle(decisions)
  }

  /// Continues pending work within this iteration's copy budget; false if work remains.
  @discardableResult
  func carryOut() -> Bool {
    while let order = work.order {
      guard paint(order) else { return false }
      let copied = work.endOrder()
      schedule.update { (scheduler, _) in
        scheduler.blitDone(
          order, byteCount: Int64(clamping: copied.copiedBytes), nanoseconds: Nanoseconds(clamping: copied.nanoseconds))
      }
    }
    if work.endOrders() {
      redeclarePromises()
      schedule.update { $0.blitsDone(at: $1) }
    }
    guard let commit = work.commit else { return true }
    return make(commit)
  }

  /// Commits once the picture is complete; false if completing it needs another loop iteration.
  private func make(_ commit: DecidedWork.Commit) -> Bool {
    var order = CommitOrder(
      isFull: commit.isFull, keptMode: keptMode, isVariable: commit.isVariable, now: now)
    let begun = work.beginCommit(at: order.now)
    var picture = spare
    spare = Picture.none
    do throws(OutputError) {
      guard try prepare(order) else {
        spare = picture
        return false
      }
      order.now = now
      let result = try show(order, showsFallback: commit.showsFallback, in: &picture)
      if result == .refused {
        spare = picture
        return make(commit)
      }
      work.endCommit()
      guard result == .committed else {
        spare = picture
        for view in views {
          view.isCursorChanged = false
          if let staged = view.staged.take() { drop(staged, of: view) }
        }
        abandonCommit()
        return true
      }
    } catch {
      work.endCommit()
      picture.endUse()
      spare = picture
      abandon(error)
      return true
    }
    inFlight = picture
    for view in views {
      view.isCursorChanged = false
      guard let staged = view.staged.take() else { continue }
      // Another layout or focus came while the picture was completed.
      guard picture.entry(of: view.id) != nil else {
        drop(staged, of: view)
        continue
      }
      view.setLatched(staged.frame)
      view.surface.frameLatched(staged.frame.number, readyNanoseconds: staged.update.readyNanoseconds)
    }
    // Only copies into tiles are planned: others are part of what a commit takes.
    let begunAt = isTiled ? order.now : begun
    schedule.update { $0.commitDone(begunAt: begunAt, at: $1) }
    return true
  }

  /// Answers a frame that was to be in a commit and is not.
  private func drop(_ staged: SurfaceView.Held, of view: SurfaceView) {
    view.needsFullDamage = true
    supersede(staged, of: view)
  }

  /// Completes the next commit's picture within this iteration's copy budget; false if work remains.
  private func prepare(_ order: CommitOrder) throws(OutputError) -> Bool {
    guard power.showsPictures else { return true }
    switch composition {
    case .direct(let direct):
      guard let focusedView, direct.plan(focusedView, order) else { return true }
      guard let deadline = budget.begin() else { return false }
      defer { budget.end(deadline) }
      return try direct.draw(focusedView, order, until: deadline)
    case .tiled(let tiled):
      guard let deadline = budget.begin() else { return false }
      defer { budget.end(deadline) }
      return try tiled.prepare(views, mode: homeMode, order, follows: onScreen.isTiled, until: deadline)
    }
  }

  /// Commits the output's new content, or nothing if it has none.
  private func show(
    _ order: CommitOrder, showsFallback: Bool, in picture: inout Picture
  ) throws(OutputError) -> CommitResult {
    if !power.showsPictures {
      guard try power.commitDarkness(on: output, hasPicture: !onScreen.entries.isEmpty) else { return .unchanged }
      composition.pictureReplaced()
      return .committed
    }
    var result = CommitResult.empty
    switch composition {
    case .direct(let direct):
      if !showsFallback, let focusedView { result = try direct.commit(focusedView, order, into: &picture) }
    case .tiled(let tiled):
      result = try tiled.commit(views, mode: homeMode, order, into: &picture)
    }
    if result == .empty { result = try commitNothing() ? .committed : .unchanged }
    if result == .committed, power.committed != .on { power.pictureCommitted() }
    return result
  }

  /// Commits an output without content, which lets the monitor sleep; false if it already has none.
  private func commitNothing() throws(OutputError) -> Bool {
    // A blank output still scans out black, so it needs a commit.
    if onScreen.entries.isEmpty, power.committed != .blank { return false }
    let nothing = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
    try output.commit(nothing, fit: .mode(output.info.mode))
    composition.pictureReplaced()
    return true
  }

  /// Reports a commit that the output refused on every path. It is not retried.
  private func abandon(_ error: OutputError) {
    var hasFrame = false
    for view in views {
      view.isCursorChanged = false
      view.needsFullDamage = true
      guard let staged = view.staged.take() else { continue }
      hasFrame = true
      if !staged.isReported { view.surface.frameDone(staged.frame.number, .rejected) }
      view.surface.outputFailed("\(name) cannot show a frame: \(error)")
      staged.frame.buffer.endUse()
    }
    if !hasFrame, focusedView?.latched == nil, !isTiled {
      // The client no longer uses the picture, even if the output still shows it.
      focusedView?.surface.outputFailed("\(name) cannot be blanked: \(error)")
      onScreen.endUse()
    }
    abandonCommit()
  }

  /// Reports to the scheduler that a commit was not made or that its flip will not arrive.
  func abandonCommit() {
    accept(schedule.decide { $0.commitAbandoned(at: $1, into: &$2) })
  }

  /// Handles the flip of the last commit.
  func flipped(timeNanoseconds: UInt64, sequence: UInt64) {
    guard let shown = inFlight.take() else { return run() }
    lastSequence = sequence
    let now = now
    // Do not predict vblanks if the driver's timestamps are missing or use another clock.
    let time = Nanoseconds(clamping: timeNanoseconds)
    let isPlausible = abs(now - time) < 1_000_000_000
    var old = onScreen
    onScreen = shown
    if !answers.isEmpty { answers.send(leaving: old, for: onScreen) }
    for index in onScreen.entries.indices {
      guard let surface = onScreen.entries[index].reportTo.take() else { continue }
      let frame = onScreen.entries[index].frame.number
      if let view = view(onScreen.entries[index].view), view.isCapped,
        let rate = schedule.state.heldMillihertz(of: view.id)
      {
        answers.send(
          DeferredAnswers.Answer(
            vm: view.id, surface: surface, frame: frame, timeNanoseconds: timeNanoseconds, sequence: sequence),
          rateMillihertz: rate, periodNanoseconds: schedule.state.timing.periodNanoseconds,
          flippedAt: isPlausible ? time : now, now: now)
      } else {
        surface.frameDone(frame, .flipped, timeNanoseconds: timeNanoseconds, sequence: sequence)
      }
    }
    old.endUse()
    if power.isAway { onScreen.endUse() }
    spare = old
    // The guest's mode may have a different refresh rate.
    let timing = OutputSchedule.timing(of: output.currentMode)
    let flipTime = isPlausible ? time : nil
    accept(
      schedule.decide { (scheduler, now, decisions) in
        scheduler.setTiming(timing, at: now)
        scheduler.flipDone(sequence: sequence, timestamp: flipTime, at: now, into: &decisions)
      })
    if case .tiled(let tiled) = composition {
      let refresh = Int64(homeMode.refreshMillihertz)
      tiled.flipped(views, PlaneAssignment.Flip(sequence: sequence, refreshMillihertz: refresh, now: now))
    }
    run()
  }
}
