import FrameScheduler
import GraphicsMemory
import Scanout

/// One scanout on an output: its rectangle and its frames until they are on screen.
///
/// A frame is *held* until a commit takes it, then *latched* until a newer one is. Each state is a use of its buffer;
/// so is every picture that shows it.
final class SurfaceView {
  /// A frame that is not committed yet.
  struct Held {
    let id: FrameID
    var update: SurfaceUpdate
    /// The planned number of bytes to copy for it.
    var byteCount: Int64
    /// Whether the client has its feedback already: a VM that is not visible is paced without flips.
    var isReported = false

    var frame: SurfaceFrame { update.frame }
  }

  let id: VMID
  unowned let surface: Surface
  let presenter: Presenter
  /// Its rectangle on the output.
  var rect: Rect
  /// Held frames, oldest first; the scheduler decides when each is shown.
  var held: [Held] = []
  /// The frame of the commit that is being made.
  var staged: Held?
  /// The newest committed frame.
  private(set) var latched: SurfaceFrame?
  /// The frame that the next composed picture shows here.
  var painted: SurfaceFrame?
  var cursor: SurfaceCursor?
  /// Where the cursor was last painted, in the output's pixels.
  var paintedCursor = Rect.empty
  var isCursorChanged = false
  /// The next frame's damage is unusable: repaint everything.
  var needsFullDamage = false
  /// The overlay plane that shows its frames, if any.
  var plane = PlaneAssignment.Bidder()
  /// Whether its VM has a rate cap, which also paces the feedback for its flips.
  var isCapped = false
  /// Why frames are composed; nil while the output scans them out directly.
  var composeReason: String?

  init(id: VMID, surface: Surface, presenter: Presenter, rect: Rect) {
    self.id = id
    self.surface = surface
    self.presenter = presenter
    self.rect = rect
    held.reserveCapacity(8)
  }

  /// Adds a frame that the client has presented.
  func hold(_ new: Held) {
    held.append(new)
    if needsFullDamage { held[held.count - 1].update.damage = DamageRegion(new.frame.source) }
    needsFullDamage = false
  }

  /// Removes and returns a held frame; nil if there is no such frame.
  func take(_ id: FrameID) -> Held? {
    for index in held.indices where held[index].id == id { return held.remove(at: index) }
    return nil
  }

  /// Removes and returns a held frame that is not shown; nil if there is no such frame. The next frame shows its damage.
  func discard(_ id: FrameID) -> Held? {
    guard let index = held.firstIndex(where: { $0.id == id }) else { return nil }
    let old = held.remove(at: index)
    if index < held.count { held[index].update.supersede(old.update) } else { needsFullDamage = true }
    return old
  }

  /// A held or staged frame; nil if there is no such frame.
  func uncommitted(_ id: FrameID) -> Held? {
    if let staged, staged.id == id { return staged }
    return held.first { $0.id == id }
  }

  /// Replaces the latched frame. The caller's use of its buffer passes to the tile.
  func setLatched(_ frame: SurfaceFrame?) {
    let old = latched
    latched = frame
    old?.buffer.endUse()
  }

  /// Whether a held frame still lacks its feedback.
  var hasWaitingFrame: Bool {
    for frame in held where !frame.isReported { return true }
    return false
  }

  /// The newest frame, visible or not.
  var newest: SurfaceFrame? { held.last?.frame ?? latched }

  /// The position of a frame's first pixel on the output.
  func origin(of frame: SurfaceFrame) -> (x: Int, y: Int) {
    (rect.x + (rect.width - frame.source.width) / 2, rect.y + (rect.height - frame.source.height) / 2)
  }
}
