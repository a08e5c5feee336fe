import CFramepathABI

/// `framepath_region_header.doorbell`: a quiet doorbell exempts the guest of its epoch from ringing after a present.
///
/// The host makes it quiet only while it will check the ring anyway. Before it sleeps without checking, it requests the
/// doorbell again and then checks the ring a last time. A guest writes its entry before it reads this word. Both sides
/// use a full barrier, so at least one of them sees the other's write, as with virtio's EVENT_IDX.
enum DoorbellHint {
  /// The word to be stored by the host.
  static func word(epoch: UInt32, isQuiet: Bool) -> UInt64 {
    let value = isQuiet ? FRAMEPATH_REGION_DOORBELL_QUIET : FRAMEPATH_REGION_DOORBELL_WANTED
    return UInt64(epoch) << 32 | UInt64(value.rawValue)
  }
}

/// The guest's check whether to ring, as a state machine with one memory access per step.
struct DoorbellQuestion: Hashable {
  private var isPublished = false

  /// Whether to ring; nil until that is known. Start after the entry has been announced.
  mutating func step<Memory: RingMemory>(epoch: UInt32, in memory: inout Memory) -> Bool? {
    guard isPublished else {
      memory.publish()
      isPublished = true
      return nil
    }
    return memory.load(.doorbell) != DoorbellHint.word(epoch: epoch, isQuiet: true)
  }
}

/// The host's request to be woken, as a state machine with one memory access per step. Afterwards it must check the
/// ring.
struct DoorbellRequest: Hashable {
  private var isStored = false

  /// Returns whether the request is complete.
  mutating func step<Memory: RingMemory>(epoch: UInt32, in memory: inout Memory) -> Bool {
    guard isStored else {
      memory.store(DoorbellHint.word(epoch: epoch, isQuiet: false), to: .doorbell)
      isStored = true
      return false
    }
    memory.publish()
    return true
  }
}
