import LinuxIO
import PresentClient
import StatusModel

/// The daemon's status, for a command that keeps showing it.
///
/// The daemon reports changes on this connection, and the status is read after a change. Counters of frames and bytes
/// change without a report; the command reads them at an interval. The next read reconnects a lost connection.
final class StatusFeed {
  /// The minimum time between two reads after changes, in nanoseconds: a VM may change its path with every frame.
  private static let pauseNanoseconds: UInt64 = 100_000_000

  private let daemon: DaemonOptions
  private let loop: EventLoop
  private var watch: PresentWatch?
  private var source: EventLoop.Source?
  /// Whether something has changed since the last read, or the connection was lost.
  private var hasChanged = false
  private var lastReadNanoseconds: UInt64 = 0

  /// - Parameter loop: receives the daemon's reports while it runs.
  init(_ daemon: DaemonOptions, loop: EventLoop) {
    self.daemon = daemon
    self.loop = loop
  }

  deinit { disconnect() }

  /// The time of the next read on CLOCK_MONOTONIC: at the deadline, or soon after a change.
  func nextRead(atLatest deadlineNanoseconds: UInt64) -> UInt64 {
    hasChanged ? min(deadlineNanoseconds, lastReadNanoseconds + StatusFeed.pauseNanoseconds) : deadlineNanoseconds
  }

  /// Runs the loop until the status is to be read again.
  func wait(atMost deadlineNanoseconds: UInt64) throws {
    while true {
      let now = monotonicNanoseconds()
      let next = nextRead(atLatest: deadlineNanoseconds)
      if now >= next { return }
      try loop.runOnce(timeoutMilliseconds: Int32(clamping: (next - now + 999_999) / 1_000_000))
    }
  }

  /// The daemon's status as JSON, unchanged.
  ///
  /// - Throws: if no daemon can be reached, or if it does not answer.
  func statusJSON() throws -> [UInt8] {
    hasChanged = false
    defer { lastReadNanoseconds = monotonicNanoseconds() }
    do throws(PresentClientError) {
      let json = try readJSON()
      lookForChange()
      return json
    } catch {
      disconnect()
      throw daemon.explained(error)
    }
  }

  /// The status.
  ///
  /// - Throws: if no daemon can be reached, or if it does not answer.
  func status() throws -> DaemonStatus { try daemon.decoded(statusJSON()) }

  private func readJSON() throws(PresentClientError) -> [UInt8] {
    if let watch {
      do throws(PresentClientError) { return try watch.statusJSON() } catch {
        // The daemon has closed the connection; it may have been restarted.
        guard case .failed = error else { throw error }
        disconnect()
      }
    }
    return try connect().statusJSON()
  }

  private func connect() throws(PresentClientError) -> PresentWatch {
    let watch = try PresentWatch(path: daemon.path)
    do throws(SystemError) {
      source = try loop.add(watch.descriptor) { [unowned self] _ in lookForChange() }
    } catch {
      throw .failed(error.description)
    }
    self.watch = watch
    return watch
  }

  private func disconnect() {
    if let source = source.take() { loop.remove(source) }
    watch = nil
  }

  /// Receives the daemon's reports without waiting.
  private func lookForChange() {
    do {
      if try watch?.next(withinMilliseconds: 0) != nil { hasChanged = true }
    } catch {
      disconnect()
      hasChanged = true
    }
  }
}
