/// Collects the work that is done once at the end of a round of the loop, however many events of the round ask for it.
final class RoundEnd {
  /// Clients with messages to send: all of a round go out in one packet.
  private var senders: [ClientSession] = []
  /// Regions with frames to present or a client to ring.
  private var regions: [RegionFeed] = []

  init() {
    senders.reserveCapacity(64)
    regions.reserveCapacity(64)
  }

  /// Has `ClientSession.sendBatch` called.
  func willSend(_ session: ClientSession) { senders.append(session) }

  /// Has `RegionFeed.endRound` called.
  func willEndRound(_ region: RegionFeed) { regions.append(region) }

  /// Ends the round for the regions.
  func endRegions() {
    if regions.isEmpty { return }
    // A frame that is presented may end at once, and mark its region again: bounded by the size of a ring.
    var index = 0
    while index < regions.count {
      regions[index].endRound()
      index += 1
    }
    regions.removeAll(keepingCapacity: true)
  }

  /// Sends the messages.
  func sendBatches() {
    if senders.isEmpty { return }
    for session in senders { session.sendBatch() }
    senders.removeAll(keepingCapacity: true)
  }
}
