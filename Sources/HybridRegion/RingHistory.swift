/// What the rings still tell of a slot's last present.
struct LastPresent: Hashable {
  var slot: Int
  /// 0 for a slot that was held at the attach and not presented since.
  var frame: UInt64
  /// The present's position in its ring; nil for frame 0.
  var position: UInt32?
  /// Whether no RELEASED follows it.
  var isHeld = true
  /// Whether the guest knows what became of it.
  var isTold = false
}

/// An end that a release ring tells of.
struct ToldEnd {
  var slot: Int
  var frame: UInt64
  /// RELEASED, rather than DONE.
  var isRelease: Bool
}

/// Reads back what a former host of the same attach held, out of entries that were taken long ago.
struct RingHistory {
  var epoch: UInt32
  /// The present ring's head.
  var head: UInt32
  /// The release ring's tail.
  var tail: UInt32
  var slotCount: Int
  var heldAtAttach: UInt64

  /// The last present of each slot, the newest first, and the slots that were held at the attach.
  func presents<Memory: RingMemory, Payload: RingPayload>(
    _ ring: inout Memory, _ payload: Payload.Type, _ read: (Payload) -> (slot: Int, frame: UInt64)
  ) -> [LastPresent] {
    var found: [LastPresent] = []
    var entry = Payload()
    for back in 1...UInt32(ring.entryCount) {
      guard RingConsumer.reread(head &- back, epoch: epoch, into: &entry, from: &ring) else { continue }
      let (slot, frame) = read(entry)
      guard slot < slotCount, !found.contains(where: { $0.slot == slot }) else { continue }
      found.append(LastPresent(slot: slot, frame: frame, position: head &- back))
    }
    for slot in 0..<slotCount where heldAtAttach >> UInt64(slot) & 1 == 1 {
      if !found.contains(where: { $0.slot == slot }) { found.append(LastPresent(slot: slot, frame: 0, isTold: true)) }
    }
    return found
  }

  /// Marks those whose end was told.
  func mark<Memory: RingMemory, Payload: RingPayload>(
    _ presents: inout [LastPresent], _ ring: inout Memory, _ payload: Payload.Type, _ read: (Payload) -> ToldEnd?
  ) {
    var entry = Payload()
    for back in 1...UInt32(ring.entryCount) {
      guard RingConsumer.reread(tail &- back, epoch: epoch, into: &entry, from: &ring), let end = read(entry) else {
        continue
      }
      for index in presents.indices where presents[index].slot == end.slot && presents[index].frame == end.frame {
        if end.isRelease { presents[index].isHeld = false } else { presents[index].isTold = true }
      }
    }
  }

  /// The account of a host that goes on.
  func slots(_ presents: [LastPresent]) -> HostSlots {
    var holds: [HostSlots.Hold?] = Array(repeating: nil, count: slotCount)
    var lastFrame: UInt64 = 0
    for present in presents {
      lastFrame = max(lastFrame, present.frame)
      guard present.isHeld else { continue }
      holds[present.slot] = HostSlots.Hold(epoch: present.frame == 0 ? 0 : epoch, frame: present.frame)
    }
    return HostSlots(holds: holds, lastFrame: lastFrame)
  }
}
