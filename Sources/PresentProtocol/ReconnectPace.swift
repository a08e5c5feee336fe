/// The pauses between a client's attempts to reach the daemon.
///
/// A restarted daemon is found within 100 ms. After refusals the attempts become less frequent.
public struct ReconnectPace: Equatable, Sendable {
  /// The longest pause after refusals, in nanoseconds.
  public static let longestNanoseconds: UInt64 = 5_000_000_000
  private static let shortestNanoseconds: UInt64 = 100_000_000
  /// A connection that lasted this long, in nanoseconds, resets the pause after refusals.
  private static let workingNanoseconds: UInt64 = 10_000_000_000

  private var absences = 0
  private var refusals = 0
  private var welcomeNanoseconds: UInt64?

  /// No attempt has been made.
  public init() {}

  /// The daemon accepted the client.
  ///
  /// - Parameter now: CLOCK_MONOTONIC in nanoseconds, here and below.
  public mutating func welcomed(now: UInt64) {
    absences = 0
    welcomeNanoseconds = now
  }

  /// The pause after a failed attempt to connect, or a connection that ended without a refusal, in nanoseconds: 100 ms
  /// for the first fifty, then 500 ms.
  public mutating func absent() -> UInt64 {
    welcomeNanoseconds = nil
    absences = min(absences + 1, 51)
    return absences <= 50 ? ReconnectPace.shortestNanoseconds : 5 * ReconnectPace.shortestNanoseconds
  }

  /// The pause after the daemon refused the client or ended the connection with an error, in nanoseconds: 100 ms for
  /// the first time, doubled with each further one up to 5 s.
  public mutating func refused(now: UInt64) -> UInt64 {
    if let welcomeNanoseconds, now &- welcomeNanoseconds >= ReconnectPace.workingNanoseconds { refusals = 0 }
    welcomeNanoseconds = nil
    refusals = min(refusals + 1, 7)
    return min(ReconnectPace.shortestNanoseconds << UInt64(refusals - 1), ReconnectPace.longestNanoseconds)
  }
}
