extension MemoryAdmission {
  /// From this age on `agingBestFit` serves strictly the oldest first.
  static let agedNanoseconds: Nanoseconds = 1_000_000_000

  /// Grants suspended requests as long as the selection finds one that is safe to grant.
  mutating func resume(at now: Nanoseconds, into decisions: inout [MemoryDecision]) {
    while let position = nextRequest(at: now) {
      let request = suspended.remove(at: position)
      decisions.append(MemoryDecision(ticket: request.ticket, vm: request.vm, reply: .granted))
    }
  }

  /// Whether the oldest request goes before all that need not end first.
  func isStrict(at now: Nanoseconds) -> Bool {
    guard let oldest = suspended.first else { return false }
    switch selection {
    case .fifo: return true
    case .agingBestFit: return now - oldest.since >= Self.agedNanoseconds
    case .bestFit, .recentUse, .random: return false
    }
  }

  /// Whether a request may go past the oldest one: its VM needs less to end, so the oldest may be waiting for it.
  func mayPassOldest(_ request: Request) -> Bool {
    guard let oldest = suspended.first, !request.isAdmission else { return suspended.isEmpty }
    guard let blocked = account(of: oldest.vm), !oldest.isAdmission else { return true }
    guard let position = account(of: request.vm) else { return false }
    let (need, other) = (remainingNeed(position), remainingNeed(blocked))
    return need == other ? position < blocked : need < other
  }

  /// Grants the next request in the selection's order and returns its place, or `nil` if none can be.
  private mutating func nextRequest(at now: Nanoseconds) -> Int? {
    if isStrict(at: now) { return oldestGrantable() }
    switch selection {
    case .fifo:
      return oldestGrantable()
    case .recentUse:
      for place in suspended.indices.reversed() where isHeadOfVM(place) && grant(suspended[place]) { return place }
      return nil
    case .random:
      return randomGrantable()
    case .bestFit:
      return bestGrantable { request in request.grantedBytes }
    case .agingBestFit:
      return bestGrantable { request in
        let age = max(0, now - request.since)
        return request.grantedBytes + request.grantedBytes / 1_000 * (age / 1_000_000) + age / 1_000
      }
    }
  }

  private mutating func oldestGrantable() -> Int? {
    for place in suspended.indices where place == 0 || mayPassOldest(suspended[place]) {
      if isHeadOfVM(place), grant(suspended[place]) { return place }
    }
    return nil
  }

  private mutating func randomGrantable() -> Int? {
    guard !suspended.isEmpty else { return nil }
    randomState = randomState &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let first = Int((randomState >> 33) % UInt64(suspended.count))
    for step in suspended.indices {
      let place = (first + step) % suspended.count
      if isHeadOfVM(place), grant(suspended[place]) { return place }
    }
    return nil
  }

  /// The grantable request with the highest score, the oldest of equals.
  private mutating func bestGrantable(score: (Request) -> Int64) -> Int? {
    var best: (place: Int, score: Int64)?
    for place in suspended.indices where isHeadOfVM(place) {
      let value = score(suspended[place])
      guard value > best?.score ?? .min, couldGrant(suspended[place]) else { continue }
      best = (place, value)
    }
    guard let best, grant(suspended[best.place]) else { return nil }
    return best.place
  }

  /// Whether no older request of the same VM waits: those of one VM go in order.
  private func isHeadOfVM(_ place: Int) -> Bool {
    !suspended[..<place].contains { $0.vm == suspended[place].vm }
  }

  private mutating func couldGrant(_ request: Request) -> Bool {
    guard grant(request) else { return false }
    if request.isAdmission {
      accounts.removeLast()
    } else if let position = account(of: request.vm) {
      accounts[position].used -= request.byteCount
    }
    return true
  }
}
