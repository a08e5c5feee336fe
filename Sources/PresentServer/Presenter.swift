import GraphicsMemory
import Outputs
import PresentProtocol
import Scanout

/// The present loop of one output: what is on screen, what is on its way there, and what waits.
///
/// At most one commit is under way. Meanwhile the newest frame waits; one that it replaces is superseded, and its
/// damage added. Cursor moves wait with it, so there is one commit per vblank at most. No change, no commit.
final class Presenter {
  /// A client's frame.
  struct Frame {
    var buffer: ClientBuffer
    var number: UInt64
    var source: Rect
    /// In the buffer's pixels; everything is the source itself.
    var damage: DamageRegion
    /// CLOCK_MONOTONIC when the guest handed it over; 0 where the client did not say.
    var readyNanoseconds: UInt64 = 0
  }

  /// A client's cursor, in the frame's pixels.
  struct Cursor {
    var buffer: ClientBuffer
    var x: Int
    var y: Int
  }

  /// A frame and a cursor that were committed together; no frame is a blank screen.
  struct Picture {
    var frame: Frame?
    var cursor: Cursor?
    /// Where the frame's first pixel lies on the output.
    var originX = 0
    var originY = 0
    /// Whether the client still has to be told that the frame is on screen.
    var isReportDue = false
  }

  private enum Waiting {
    case nothing
    case blank
    case frame(Frame)
  }

  let output: any Output
  /// What it is called in the protocol; unique among the outputs.
  let name: String
  /// The mode that clients are told: their preferred one.
  private(set) var homeMode: DisplayMode
  private(set) weak var head: Head?
  /// Why frames are composed now; nil while the output shows them as they are.
  private(set) var composeReason: String?

  private(set) var onScreen = Picture()
  private var inFlight: Picture?
  private var waiting = Waiting.nothing
  private var cursor: Cursor?
  private var isCursorChanged = false
  /// The newest content that was committed, for commits that change the cursor alone.
  private var latched: Frame?
  private var needsFullDamage = false
  private var fits = FitCache()
  private let composer: Composer

  init(_ output: any Output, name: String) {
    self.output = output
    self.name = name
    homeMode = output.info.mode
    composer = Composer(output)
  }

  // MARK: - The client

  func attach(_ head: Head) { self.head = head }

  /// The client leaves: what waits is superseded, the screen becomes blank.
  func detach() {
    let former = head
    head = nil
    if case .frame(let frame) = waiting { former?.frameDone(frame.number, .superseded) }
    dropWaiting()
    if inFlight?.isReportDue == true, let frame = inFlight?.frame {
      former?.frameDone(frame.number, .superseded)
      inFlight?.isReportDue = false
    }
    cursor?.buffer.endUse()
    cursor = nil
    composeReason = nil
    blank()
  }

  /// Takes a frame; the buffer is in use until it is released.
  func present(_ new: Frame) {
    var frame = new
    frame.buffer.beginUse()
    switch waiting {
    case .nothing: if needsFullDamage { frame.damage = DamageRegion(frame.source) }
    case .blank: frame.damage = DamageRegion(frame.source)
    case .frame(let old):
      if old.source == frame.source && old.buffer.buffer.layout == frame.buffer.buffer.layout {
        frame.damage.add(old.damage)
      } else {
        frame.damage = DamageRegion(frame.source)
      }
      waiting = .frame(frame)
      head?.frameDone(old.number, .superseded)
      old.buffer.endUse()
    }
    needsFullDamage = false
    waiting = .frame(frame)
    latch()
  }

  /// Blanks the screen.
  func blank() {
    if case .frame(let frame) = waiting { head?.frameDone(frame.number, .superseded) }
    dropWaiting()
    waiting = .blank
    latch()
  }

  /// Shows another cursor, or the same one elsewhere; nil hides it.
  func setCursor(_ new: Cursor?) {
    if let new, let old = cursor, new.buffer === old.buffer, new.x == old.x, new.y == old.y { return }
    if new == nil && cursor == nil { return }
    new?.buffer.beginUse()
    let old = cursor
    cursor = new
    old?.buffer.endUse()
    isCursorChanged = true
    latch()
  }

  private func dropWaiting() {
    if case .frame(let frame) = waiting { frame.buffer.endUse() }
    waiting = .nothing
  }

  // MARK: - The output

  /// The output has changed: what it can show must be asked again.
  func outputChanged() {
    fits.removeAll()
    let info = output.info
    if !info.modes.contains(homeMode) { homeMode = info.modes.first ?? info.mode }
    // A commit that went down with the monitor is never told of.
    guard !output.isCommitPending, let lost = inFlight.take() else { return }
    if lost.isReportDue, let frame = lost.frame { head?.frameDone(frame.number, .rejected) }
    lost.frame?.buffer.endUse()
    lost.cursor?.buffer.endUse()
    needsFullDamage = true
    latch()
  }

  /// The last commit is on screen.
  func flipped(timeNanoseconds: UInt64, sequence: UInt64) {
    guard let shown = inFlight.take() else { return }
    let old = onScreen
    onScreen = shown
    onScreen.isReportDue = false
    if shown.isReportDue, let frame = shown.frame {
      head?.frameDone(frame.number, .flipped, timeNanoseconds: timeNanoseconds, sequence: sequence)
    }
    old.frame?.buffer.endUse()
    old.cursor?.buffer.endUse()
    latch()
  }

  /// Decides when what waits goes to the output: at once, when the last commit is on screen.
  private func latch() {
    // A commit that the output refuses leaves room for what came meanwhile; nothing else repeats.
    while inFlight == nil, !output.isCommitPending, commitNext() {}
  }

  /// Commits what waits, if it changes anything; true where it was refused.
  private func commitNext() -> Bool {
    switch waiting {
    case .nothing:
      guard isCursorChanged else { return false }
      isCursorChanged = false
      guard var frame = latched else { return false }
      frame.damage = DamageRegion()
      frame.buffer.beginUse()
      return commit(frame, isNew: false)
    case .blank:
      waiting = .nothing
      isCursorChanged = false
      latched = nil
      if onScreen.frame == nil { return false }
      return commitBlank()
    case .frame(let frame):
      waiting = .nothing
      isCursorChanged = false
      return commit(frame, isNew: true)
    }
  }

  private func commitBlank() -> Bool {
    do throws(OutputError) {
      let nothing = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
      try output.commit(nothing, fit: .mode(output.info.mode))
      composer.invalidate()
      inFlight = Picture()
      return false
    } catch {
      // The picture is not the client's any more, whatever the output still shows.
      head?.outputFailed("\(name) cannot be blanked: \(error)")
      onScreen.frame?.buffer.endUse()
      onScreen.cursor?.buffer.endUse()
      onScreen = Picture()
      return true
    }
  }

  /// The frame's use passes to the picture.
  private func commit(_ frame: Frame, isNew: Bool) -> Bool {
    var picture = Picture(frame: frame, cursor: cursor, isReportDue: isNew)
    do throws(OutputError) {
      (picture.originX, picture.originY) = try show(frame)
      picture.cursor?.buffer.beginUse()
      inFlight = picture
      latched = frame
      if isNew { head?.frameLatched(readyNanoseconds: frame.readyNanoseconds) }
      return false
    } catch {
      needsFullDamage = true
      if isNew {
        head?.frameDone(frame.number, .rejected)
        head?.outputFailed("\(name) cannot show a frame: \(error)")
      }
      frame.buffer.endUse()
      return true
    }
  }

  /// Commits a frame directly, or composed where the output cannot show it as it is.
  private func show(_ frame: Frame) throws(OutputError) -> (Int, Int) {
    let hasCursorPlane = output.info.cursorSize > 0
    var reason = frame.buffer.composeReason
    if reason == nil && cursor != nil && !hasCursorPlane { reason = "\(name) has no cursor plane" }
    if reason == nil {
      let method = fits.method(for: frame) { output.fit(frame.buffer.buffer, source: frame.source) }
      if case .compose(let why) = method {
        reason = why
      } else {
        do throws(OutputError) {
          return try showDirectly(frame, method)
        } catch {
          guard case .rejected(let why) = error else { throw error }
          fits.remember(.compose(why), for: frame)
          reason = why
        }
      }
    }
    do throws(OutputError) {
      return try showComposed(frame, reason ?? "", blendsCursor: !hasCursorPlane)
    } catch {
      guard case .rejected = error, hasCursorPlane, cursor != nil else { throw error }
      return try showComposed(frame, reason ?? "", blendsCursor: true)
    }
  }

  private func showDirectly(_ frame: Frame, _ method: FitMethod) throws(OutputError) -> (Int, Int) {
    var origin = (0, 0)
    if case .centered(let x, let y) = method { origin = (x, y) }
    let state = cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + origin.0, y: $0.y + origin.1) }
    try output.commit(
      OutputFrame(buffer: frame.buffer.buffer, source: frame.source, damage: frame.damage, cursor: state), fit: method)
    composer.invalidate()
    composeReason = nil
    return origin
  }

  private func showComposed(
    _ frame: Frame, _ reason: String, blendsCursor: Bool
  ) throws(OutputError) -> (Int, Int) {
    let composed = try composer.compose(frame, cursor: blendsCursor ? cursor : nil)
    head?.counters.cpuCopies += composed.copiedBytes > 0 ? 1 : 0
    head?.counters.copiedBytes += composed.copiedBytes
    let (x, y) = (composed.originX, composed.originY)
    let state =
      blendsCursor ? nil : cursor.map { CursorState(buffer: $0.buffer.buffer, x: $0.x + x, y: $0.y + y) }
    let mode = output.info.mode
    try output.commit(
      OutputFrame(
        buffer: composed.buffer, source: Rect(width: mode.width, height: mode.height), damage: composed.damage,
        cursor: state), fit: .mode(mode))
    composer.committed(composed)
    composeReason = reason
    return (x, y)
  }
}
