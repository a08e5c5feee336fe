import FrameScheduler
import Outputs
import PresentProtocol

extension Presenter {
  /// Does what the scheduler has decided: blits, the commit, answers.
  func apply() {
    for index in decisions.blits.indices where decisions.blits[index].completes { paint(decisions.blits[index]) }
    for index in decisions.discarded.indices {
      let discarded = decisions.discarded[index]
      guard let tile = tile(discarded.vm), let held = tile.take(discarded.frame) else { continue }
      tile.needsFullDamage = true
      supersede(held, of: tile)
    }
    reportUnseen()
    if decisions.commits { commit() }
  }

  private func commit() {
    for index in decisions.latches.indices {
      guard let tile = tile(decisions.latches[index].vm) else { continue }
      tile.staged = tile.take(decisions.latches[index].frame)
    }
    let (isFull, showsFallback) = (decisions.needsFullDamage, decisions.showsFallback)
    var picture = spare
    spare = Picture.none
    let begun = now
    do throws(OutputError) {
      let isDark = power.effective != .on
      let isCommitted =
        try isDark
        ? power.commitDarkness(on: output, hasPicture: !onScreen.entries.isEmpty)
        : isTiled ? commitTiles(&picture, isFull) : commitFocused(&picture, showsFallback ? nil : focusedTile, isFull)
      if isCommitted { if isDark { composer.invalidate() } else { power.pictureCommitted() } }
      guard isCommitted else {
        spare = picture
        for tile in tiles { tile.isCursorChanged = false }
        return scheduler.commitAbandoned(at: now, into: &decisions)
      }
    } catch {
      picture.endUse()
      spare = picture
      return abandon(error)
    }
    inFlight = picture
    for tile in tiles {
      tile.isCursorChanged = false
      guard let staged = tile.staged.take() else { continue }
      tile.setLatched(staged.frame)
      tile.grantedCount += 1
      tile.head.frameLatched(staged.frame.number, readyNanoseconds: staged.frame.readyNanoseconds)
    }
    scheduler.commitDone(begunAt: begun, at: now)
  }

  /// The output takes none of it: clients are told, and nothing is tried again.
  private func abandon(_ error: OutputError) {
    var hasFrame = false
    for tile in tiles {
      tile.isCursorChanged = false
      tile.needsFullDamage = true
      guard let staged = tile.staged.take() else { continue }
      hasFrame = true
      if !staged.isReported { tile.head.frameDone(staged.frame.number, .rejected) }
      tile.head.outputFailed("\(name) cannot show a frame: \(error)")
      staged.frame.buffer.endUse()
    }
    if !hasFrame, focusedTile?.latched == nil, !isTiled {
      // The picture is not the client's any more, whatever the output still shows.
      focusedTile?.head.outputFailed("\(name) cannot be blanked: \(error)")
      onScreen.endUse()
    }
    scheduler.commitAbandoned(at: now, into: &decisions)
  }

  /// Notes a frame and its cursor as part of a picture.
  func add(_ tile: Tile, _ frame: Frame, originX: Int, originY: Int, to picture: inout Picture) {
    frame.buffer.beginUse()
    tile.cursor?.buffer.beginUse()
    let isDue = tile.staged.map { !$0.isReported } ?? false
    picture.entries.append(
      PictureEntry(
        tile: tile.id, frame: frame, cursor: tile.cursor, originX: originX, originY: originY,
        reportTo: isDue ? tile.head : nil))
  }

  /// The last commit is on screen.
  func flipped(timeNanoseconds: UInt64, sequence: UInt64) {
    guard let shown = inFlight.take() else { return run() }
    lastSequence = sequence
    let now = now
    // A driver whose flips are told in another clock's time, or none, is not predicted.
    let time = Nanoseconds(clamping: timeNanoseconds)
    let isPlausible = abs(now - time) < 1_000_000_000
    var old = onScreen
    onScreen = shown
    if !answers.isEmpty { answers.send(leaving: old, for: onScreen) }
    for index in onScreen.entries.indices {
      guard let head = onScreen.entries[index].reportTo.take() else { continue }
      let frame = onScreen.entries[index].frame.number
      if let tile = tile(onScreen.entries[index].tile), tile.isCapped, let rate = scheduler.heldMillihertz(of: tile.id)
      {
        answers.send(
          DeferredAnswers.Answer(
            vm: tile.id, head: head, frame: frame, timeNanoseconds: timeNanoseconds, sequence: sequence),
          rateMillihertz: rate, periodNanoseconds: scheduler.timing.periodNanoseconds,
          flippedAt: isPlausible ? time : now, now: now)
      } else {
        head.frameDone(frame, .flipped, timeNanoseconds: timeNanoseconds, sequence: sequence)
      }
    }
    old.endUse()
    spare = old
    // A guest's mode may have another rate.
    scheduler.setTiming(Presenter.timing(of: output.currentMode), at: now)
    scheduler.flipDone(sequence: sequence, timestamp: isPlausible ? time : nil, at: now, into: &decisions)
    reportUnseen()
    auctionPlanes(sequence: sequence)
    run()
  }
}
