import LinuxIO

/// A point of a client's timeline. It is signalled when the last reference to this object is dropped.
final class ReleasePoint {
  private let timeline: SyncTimeline
  private let point: UInt64

  init(_ timeline: SyncTimeline, _ point: UInt64) {
    self.timeline = timeline
    self.point = point
  }

  deinit { timeline.signal(point) }
}

/// The points that SYNC_POINTS set for a scanout's next frame.
enum FrameSync {
  case none
  /// The frame waits for the fence and holds the release point.
  case points(acquire: SharedFD?, release: ReleasePoint?)
  /// The points cannot be used; the error was sent to the client.
  case refused
}
