import PresentProtocol

extension PresentClient {
  /// Has the daemon take a scanout's frames out of a region, from now until the connection ends. Neither waits nor is
  /// answered, but by an error event (`.refused`) where the daemon cannot.
  ///
  /// - Parameters:
  ///   - memory: the region: a memfd sealed against shrinking, which nobody else serves from now on.
  ///   - regionByteCount: its size.
  ///   - sharesClock: whether whoever draws reads this machine's CLOCK_MONOTONIC.
  ///   - hostDoorbell: the eventfd that wakes the daemon.
  ///   - guestDoorbell: the eventfd that the daemon raises, for a daemon of the same user; nil: REGION_NEWS tells.
  /// - Returns: false where there is no daemon now, or no room in its socket; then the connection is lost.
  public func attachRegion(
    scanout: Int, memory: Int32, regionByteCount: Int, slotCount: Int, sharesClock: Bool, hostDoorbell: Int32,
    guestDoorbell: Int32?
  ) -> Bool {
    guard let connection else { return false }
    let message = AttachRegion(
      scanout: UInt32(clamping: scanout), regionByteCount: UInt64(clamping: regionByteCount),
      slotCount: UInt32(clamping: slotCount), sharesClock: sharesClock, hasGuestDoorbell: guestDoorbell != nil)
    flush()
    do throws(PresentProtocolError) {
      let fds = [memory, hostDoorbell] + (guestDoorbell.map { [$0] } ?? [])
      if queue.isEmpty, try connection.send(.region(message), fds: fds) { return true }
      lose("framepathd does not read its messages")
    } catch {
      lose(error.description)
    }
    return false
  }
}
