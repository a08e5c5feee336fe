/// A slot's last present, as the rings show it.
struct LastPresent: Hashable {
  var slot: Int
  /// 0 for a slot that was held at the attach and not presented since.
  var frame: UInt64
  /// The present's position in its ring; nil for frame 0.
  var position: UInt32?
  /// Whether no RELEASED follows it.
  var isHeld = true
  /// Whether the guest has the frame's DONE.
  var isTold = false
}

/// An end of a frame in the release ring.
struct ToldEnd {
  var slot: Int
  var frame: UInt64
  /// True for RELEASED, false for DONE.
  var isRelease: Bool
}

/// Reconstructs the holds of a former host of the same attach from entries that were taken long ago.
struct RingHistory {
  var epoch: UInt32
  /// The present ring's head.
  var head: UInt32
  /// The release ring's tail.
  var tail: UInt32
  var slotCount: Int
  var heldAtAttach: UInt64

  /// The last present of each slot, newest first, then the slots that were held at the attach.
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

  /// Marks the frames whose end is in the release ring.
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

  /// The slot record for the next host.
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
