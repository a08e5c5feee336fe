import FrameScheduler
import Outputs
import Scanout

/// How an output's picture is made from its views' frames.
enum Composition {
  /// One view has the output: its frames go to the hardware as they are, where the output can show them.
  case direct(DirectComposition)
  /// All views are painted into one picture, each in its rectangle, or shown by overlay planes.
  case tiled(TiledComposition)

  /// The output has changed: what it can show must be asked again, and buffers may have another size.
  func outputChanged() {
    switch self {
    case .direct(let direct): direct.outputChanged()
    case .tiled(let tiled): tiled.outputChanged()
    }
  }

  /// Black, or nothing, was committed.
  func pictureReplaced() { if case .direct(let direct) = self { direct.pictureReplaced() } }
}

/// What a commit is to show.
struct CommitOrder {
  /// Everything is to be drawn: what is on screen is not the last picture.
  var isFull: Bool
  /// The mode to stay in; `nil` where the output may take any mode.
  var keptMode: DisplayMode?
  /// Whether the display follows the commits.
  var isVariable: Bool
  /// The presenter's time.
  var now: Nanoseconds
  /// For copies that must be made at once.
  var noDeadline: PaintDeadline
}

/// What became of a commit.
enum CommitResult {
  /// A picture is on its way to the screen.
  case committed
  /// Nothing has changed.
  case unchanged
  /// No view has anything to show.
  case empty
}
