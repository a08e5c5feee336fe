import FrameScheduler
import GraphicsMemory
import Scanout

/// One scanout on an output: its place, and its frames on their way to the screen.
///
/// A frame is *held* until a commit takes it, then *latched* until a newer one is; each place is a use of its buffer,
/// and so is every picture that shows it.
final class Tile {
  /// A frame that no commit has taken yet.
  struct Held {
    let id: FrameID
    var frame: Presenter.Frame
    /// The bytes that a copy of it takes, by plan.
    var byteCount: Int64
    /// The client has its answer: a VM that is not seen is paced without a flip.
    var isReported = false
  }

  let id: VMID
  unowned let head: Surface
  let presenter: Presenter
  /// Its place on the output.
  var rect: Rect
  /// Oldest first; the scheduler says which comes when.
  var held: [Held] = []
  /// Goes into the commit that is being made.
  var staged: Held?
  /// The newest content that was committed.
  private(set) var latched: Presenter.Frame?
  /// What the next picture that is composed of tiles shows here.
  var painted: Presenter.Frame?
  var cursor: Presenter.Cursor?
  /// Where the cursor was painted last, on the output.
  var paintedCursor = Rect.empty
  var isCursorChanged = false
  /// What was shown is not what damage is counted from.
  var needsFullDamage = false
  /// The overlay plane that shows its frames, if any.
  var plane = PlaneAssignment.Bidder()
  /// Whether its VM has a rate cap, which paces the answers to its flips too.
  var isCapped = false
  /// Why frames are composed now; nil while the output shows them as they are.
  var composeReason: String?

  init(id: VMID, head: Surface, presenter: Presenter, rect: Rect) {
    self.id = id
    self.head = head
    self.presenter = presenter
    self.rect = rect
    held.reserveCapacity(8)
  }

  /// Takes a held frame out; nil for one that is not there.
  func take(_ id: FrameID) -> Held? {
    for index in held.indices where held[index].id == id { return held.remove(at: index) }
    return nil
  }

  /// A frame that is held, or goes into the commit that is being made; nil for one that is not there.
  func uncommitted(_ id: FrameID) -> Held? {
    if let staged, staged.id == id { return staged }
    return held.first { $0.id == id }
  }

  /// Another frame is the content now; its use passes to this.
  func setLatched(_ frame: Presenter.Frame?) {
    let old = latched
    latched = frame
    old?.buffer.endUse()
  }

  /// Whether a frame waits for its commit that its client still waits for.
  var hasWaitingFrame: Bool {
    for frame in held where !frame.isReported { return true }
    return false
  }

  /// The newest picture of a VM, seen or not.
  var newest: Presenter.Frame? { held.last?.frame ?? latched }

  /// Where a frame's first pixel lies on the output.
  func origin(of frame: Presenter.Frame) -> (x: Int, y: Int) {
    (rect.x + (rect.width - frame.source.width) / 2, rect.y + (rect.height - frame.source.height) / 2)
  }
}
