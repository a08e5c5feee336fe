import PresentProtocol

extension PresentClient {
  /// Sends a region, whose frames the daemon shows on a scanout until the connection ends. Does not wait; a refusal is
  /// delivered as an error event (`.refused`).
  ///
  /// - Parameters:
  ///   - memory: the region: a memfd sealed against shrinking, without another host.
  ///   - regionByteCount: its size.
  ///   - sharesClock: whether the guest reads this machine's CLOCK_MONOTONIC.
  ///   - hostDoorbell: the eventfd that wakes the daemon.
  ///   - guestDoorbell: an eventfd that is raised for news; nil for REGION_NEWS.
  /// - Returns: false without a daemon, or if its socket is full; then the connection is lost.
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
