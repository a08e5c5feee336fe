/// What a frame changes.
enum FrameChange {
  /// Another picture is shown, all of it new.
  case wholePicture
  /// 16 × 16 pixels of the picture.
  case corner

  /// Pixels of a corner, both ways.
  static let cornerSize = 16
}

/// Whoever hands frames over at one of the front doors, played by the bench: a guest or a container.
protocol FrameSource: AnyObject {
  /// Hands the next frame over.
  ///
  /// - Returns: when, in nanoseconds of CLOCK_MONOTONIC: just before the other side was woken.
  @discardableResult
  func showFrame(_ change: FrameChange) throws(BenchError) -> UInt64
  /// Waits until the door takes another frame: what the fastest guest waits for.
  func waitForTurn(_ change: FrameChange) throws(BenchError)
  /// Waits until the last frame is answered.
  func waitForAnswer() throws(BenchError)
  /// Takes what has come without waiting: whether the last frame is answered, and the door takes another.
  func isAnswered() throws(BenchError) -> Bool
  /// Waits until every frame is answered, and looks whether all went well.
  func finish() throws(BenchError)
  /// The picture that was handed over last.
  func checksumOfShown() -> PictureChecksum
  /// It goes away.
  func end()
}
