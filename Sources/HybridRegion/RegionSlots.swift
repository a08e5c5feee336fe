/// The host's account of who may draw into which slot.
struct HostSlots: Hashable {
  /// A slot that was presented and not yet released.
  struct Hold: Hashable {
    var epoch: UInt32
    var frame: UInt64
  }

  private(set) var holds: [Hold?]
  private var lastFrame: UInt64 = 0

  init(count: Int) { holds = Array(repeating: nil, count: count) }

  /// What another host has left.
  init(holds: [Hold?], lastFrame: UInt64) {
    self.holds = holds
    self.lastFrame = lastFrame
  }

  /// A new guest begins; what the last one presented is held on.
  mutating func begin() { lastFrame = 0 }

  /// Takes a slot, or says why not.
  mutating func hold(_ slot: UInt32, frame: UInt64, epoch: UInt32) -> RegionReason? {
    guard slot < UInt32(holds.count) else { return .badSlot }
    guard holds[Int(slot)] == nil else { return .slotHeld }
    guard frame > lastFrame else { return .badFrame }
    lastFrame = frame
    holds[Int(slot)] = Hold(epoch: epoch, frame: frame)
    return nil
  }

  /// Gives a slot back; the frame number for the guest of `epoch`, or nil where the slot is the guest's already.
  mutating func release(_ slot: Int, epoch: UInt32) -> UInt64? {
    guard holds.indices.contains(slot), let hold = holds[slot] else { return nil }
    holds[slot] = nil
    return hold.epoch == epoch ? hold.frame : 0
  }

  /// Bit k: slot k is the host's.
  var heldMask: UInt64 {
    var mask: UInt64 = 0
    for index in holds.indices where holds[index] != nil { mask |= 1 << UInt64(index) }
    return mask
  }
}

/// The guest's account of who may draw into which slot.
struct GuestSlots: Hashable {
  private enum Holder: Hashable {
    case nobody
    case drawing
    /// Presented as that frame; 0: held by the host since before the attach.
    case host(UInt64)
  }

  private var holders: [Holder]
  /// The last frame drawn into each slot; 0: unknown.
  private var frames: [UInt64]
  private(set) var lastFrame: UInt64 = 0

  /// - Parameter heldMask: `held_at_attach`.
  init(count: Int, heldMask: UInt64) {
    holders = (0..<count).map { heldMask >> UInt64($0) & 1 == 1 ? .host(0) : .nobody }
    frames = Array(repeating: 0, count: count)
  }

  /// Takes the free slot whose picture is the newest, or nil where there is none.
  mutating func acquire() -> Int? {
    var best: Int?
    for index in holders.indices where holders[index] == .nobody {
      if best.map({ frames[index] > frames[$0] }) ?? true { best = index }
    }
    if let best { holders[best] = .drawing }
    return best
  }

  /// How many presents ago the slot's picture was new: 1 is the last one; 0: its content is unknown.
  func age(_ slot: Int) -> UInt64 { frames[slot] == 0 ? 0 : lastFrame - frames[slot] + 1 }

  /// Whether the slot was acquired and not yet given away.
  func isDrawing(_ slot: Int) -> Bool { holders.indices.contains(slot) && holders[slot] == .drawing }

  /// Gives an acquired slot back unpresented; its content is unknown from now on.
  mutating func abandon(_ slot: Int) {
    guard isDrawing(slot) else { return }
    holders[slot] = .nobody
    frames[slot] = 0
  }

  /// The number for presenting an acquired slot.
  var nextFrame: UInt64 { lastFrame + 1 }

  /// Gives an acquired slot to the host as frame `nextFrame`.
  mutating func presented(_ slot: Int) {
    lastFrame += 1
    holders[slot] = .host(lastFrame)
    frames[slot] = lastFrame
  }

  /// Takes a slot back; false where the release is none of this hold, and means nothing.
  mutating func released(_ slot: Int, frame: UInt64) -> Bool {
    guard holders.indices.contains(slot), holders[slot] == .host(frame) else { return false }
    holders[slot] = .nobody
    return true
  }

  /// How many slots are the host's.
  var heldCount: Int { holders.count { if case .host = $0 { true } else { false } } }
}
