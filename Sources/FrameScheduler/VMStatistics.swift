/// Statistics of one VM since it was added.
public struct VMStatistics: Hashable, Sendable {
  /// Frames that the scheduler accepted.
  public internal(set) var accepted: Int64 = 0
  /// Frames that came on screen.
  public internal(set) var shown: Int64 = 0
  /// Frames that a newer one replaced before they were shown.
  public internal(set) var superseded: Int64 = 0
  /// Frames that the device refused.
  public internal(set) var dropped: Int64 = 0
  /// Announcements that came too fast.
  public internal(set) var throttled: Int64 = 0
  /// Announcements that were wrong.
  public internal(set) var refused: Int64 = 0
  /// Promised frames that were ready in time and came on screen after their deadline: the host's fault.
  public internal(set) var missed: Int64 = 0
  /// Blit time that was planned for the VM.
  public internal(set) var blitNanoseconds: Nanoseconds = 0
  /// The sum over shown frames of the time from ready to on screen.
  public internal(set) var latencyNanoseconds: Nanoseconds = 0
  /// The longest time from ready to on screen.
  public internal(set) var maximumLatencyNanoseconds: Nanoseconds = 0

  init() {}
}
