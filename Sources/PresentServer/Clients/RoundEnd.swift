/// Collects work to be done once at the end of an iteration of the loop, however many events request it.
final class RoundEnd {
  /// Clients with messages to send; those of an iteration are sent in one packet.
  private var senders: [ClientSession] = []
  /// Regions with frames to present or a client to wake.
  private var regions: [RegionFeed] = []

  init() {
    senders.reserveCapacity(64)
    regions.reserveCapacity(64)
  }

  /// Schedules `ClientSession.sendBatch`.
  func willSend(_ session: ClientSession) { senders.append(session) }

  /// Schedules `RegionFeed.endRound`.
  func willEndRound(_ region: RegionFeed) { regions.append(region) }

  /// Calls `RegionFeed.endRound` for the scheduled regions.
  func endRegions() {
    if regions.isEmpty { return }
    // A presented frame may end at once and mark its region again; this is bounded by the ring's size.
    var index = 0
    while index < regions.count {
      regions[index].endRound()
      index += 1
    }
    regions.removeAll(keepingCapacity: true)
  }

  /// Sends the scheduled messages.
  func sendBatches() {
    if senders.isEmpty { return }
    for session in senders { session.sendBatch() }
    senders.removeAll(keepingCapacity: true)
  }
}
