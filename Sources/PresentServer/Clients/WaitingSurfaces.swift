import Scanout

/// Parked surfaces, by what they wait for, each list in the order in which their clients connected.
///
/// There may be thousands: those that wait for an output that is not free are not looked at, and those that have left are
/// dropped together, once a round.
struct WaitingSurfaces {
  /// By the output that they wish for; empty: any.
  private var byWish: [String: [Surface]] = [:]
  /// Those that also wait for the output that was unplugged from them.
  private var unplugged: [Surface] = []
  /// Whether some have left, were placed, or have another wish.
  private var isStale = false

  mutating func insert(_ surface: Surface) {
    if case .unplugged? = surface.parking {
      WaitingSurfaces.insert(surface, into: &unplugged)
    } else {
      WaitingSurfaces.insert(surface, into: &byWish[surface.wish, default: []])
    }
  }

  private static func insert(_ surface: Surface, into list: inout [Surface]) {
    let place = list.lastIndex { $0.arrival < surface.arrival }.map { $0 + 1 } ?? 0
    list.insert(surface, at: place)
  }

  /// Some surfaces have left, were placed, or have another wish.
  mutating func changed() { isStale = true }

  /// Drops those that do not wait any more, and sorts the others by their wishes.
  mutating func update() {
    guard isStale else { return }
    isStale = false
    unplugged = WaitingSurfaces.kept(unplugged) { if case .unplugged? = $0.parking { true } else { false } }
    var moved: [Surface] = []
    for (wish, list) in byWish {
      let waiting = WaitingSurfaces.kept(list) { $0.parking == .noneFree }
      let kept = waiting.filter { $0.wish == wish }
      if kept.count < waiting.count { moved += waiting.filter { $0.wish != wish } }
      if kept.count < list.count { byWish[wish] = kept.isEmpty ? nil : kept }
    }
    for surface in moved { insert(surface) }
  }

  /// Those that still wait, each once: one that was placed and parked again in a round is there twice.
  private static func kept(_ list: [Surface], _ isWaiting: (Surface) -> Bool) -> [Surface] {
    var kept: [Surface] = []
    for surface in list where surface.view != nil && isWaiting(surface) && kept.last !== surface {
      kept.append(surface)
    }
    return kept
  }

  /// Calls `body` for those that may use an output of these names, in the order in which they connected, until it
  /// returns false.
  func forEach(waitingFor names: [String], _ body: (Surface) -> Bool) {
    let lists = ([unplugged] + ([""] + names).map { byWish[$0] ?? [] }).filter { !$0.isEmpty }
    var next = Array(repeating: 0, count: lists.count)
    while true {
      var first: Int?
      for (index, list) in lists.enumerated() where next[index] < list.count {
        if let best = first, lists[best][next[best]].arrival <= list[next[index]].arrival { continue }
        first = index
      }
      guard let first else { return }
      next[first] += 1
      if !body(lists[first][next[first] - 1]) { return }
    }
  }
}
