import CFramepathABI

/// `framepath_region_header.doorbell`: while it says so, and only to the guest of its epoch, a present need not ring.
///
/// The host makes it quiet only while it will look at the ring by itself. Before it could sleep without that, it wants
/// the doorbell again and looks once more. The guest asks after its entry is there. With a full barrier on either side
/// one of the two sees the other: as virtio's EVENT_IDX.
enum DoorbellHint {
  /// The word that a host stores.
  static func word(epoch: UInt32, isQuiet: Bool) -> UInt64 {
    let value = isQuiet ? FRAMEPATH_REGION_DOORBELL_QUIET : FRAMEPATH_REGION_DOORBELL_WANTED
    return UInt64(epoch) << 32 | UInt64(value.rawValue)
  }
}

/// A guest asks whether to ring: a machine that does one memory access a step.
struct DoorbellQuestion: Hashable {
  private var isPublished = false

  /// Whether to ring; nil until that is known. Begin after the entry has been announced.
  mutating func step<Memory: RingMemory>(epoch: UInt32, in memory: inout Memory) -> Bool? {
    guard isPublished else {
      memory.publish()
      isPublished = true
      return nil
    }
    return memory.load(.doorbell) != DoorbellHint.word(epoch: epoch, isQuiet: true)
  }
}

/// A host wants to be woken again: a machine that does one memory access a step. Afterwards it must look once more.
struct DoorbellRequest: Hashable {
  private var isStored = false

  /// Whether it is done.
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
