import FrameScheduler
import Outputs
import Scanout

/// How an output's picture is made from the frames of its views.
enum Composition {
  /// One view has the output. Its frames are scanned out directly if possible.
  case direct(DirectComposition)
  /// All views are composed into one picture, each in its rectangle, or shown on overlay planes.
  case tiled(TiledComposition)

  /// Handles a changed output: its capabilities must be tested again, and buffers may need another size.
  func outputChanged() {
    switch self {
    case .direct(let direct): direct.outputChanged()
    case .tiled(let tiled): tiled.outputChanged()
    }
  }

  /// Handles a commit of black or of no content.
  func pictureReplaced() { if case .direct(let direct) = self { direct.pictureReplaced() } }
}

/// The parameters of a commit.
struct CommitOrder {
  /// Draw everything, because the last picture is not on screen.
  var isFull: Bool
  /// The mode to keep; `nil` if the output may change its mode.
  var keptMode: DisplayMode?
  /// Whether the refresh rate is variable and follows the commits.
  var isVariable: Bool
  /// The presenter's time.
  var now: Nanoseconds
}

/// The result of a commit.
enum CommitResult {
  /// A picture was committed.
  case committed
  /// Nothing has changed.
  case unchanged
  /// The output does not take the picture so. Another one is to be prepared.
  case refused
  /// No view has a frame.
  case empty
}
