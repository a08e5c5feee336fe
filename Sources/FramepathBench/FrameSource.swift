import Scanout

/// The damage of a frame.
enum FrameChange {
  /// The whole picture.
  case wholePicture
  /// 16 × 16 pixels of the picture.
  case corner

  /// Width and height of the corner in pixels.
  static let cornerSize = 16

  /// The damage that the frame reports.
  var damage: Damage {
    switch self {
    case .wholePicture: .full
    case .corner: Damage(Rect(width: FrameChange.cornerSize, height: FrameChange.cornerSize))
    }
  }
}

/// A source of frames played by the benchmark: a guest or a container.
protocol FrameSource: AnyObject {
  /// Presents the next frame.
  ///
  /// - Returns: the CLOCK_MONOTONIC nanoseconds just before the other side was woken.
  @discardableResult
  func showFrame(_ change: FrameChange) throws(BenchError) -> UInt64
  /// Waits until another frame can be presented, like the fastest guest.
  func waitForTurn(_ change: FrameChange) throws(BenchError)
  /// Waits until the last frame is answered.
  func waitForAnswer() throws(BenchError)
  /// Receives without waiting; returns whether the last frame is answered and another can be presented.
  func isAnswered() throws(BenchError) -> Bool
  /// Waits until every frame is answered, and checks for errors.
  func finish() throws(BenchError)
  /// The last presented picture.
  func checksumOfShown() -> PictureChecksum
  /// Disconnects.
  func end()
}
