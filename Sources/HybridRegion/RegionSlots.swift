/// The host's record of which side owns each slot.
struct HostSlots: Hashable {
  /// A slot that is presented and not yet released.
  struct Hold: Hashable {
    var epoch: UInt32
    var frame: UInt64
  }

  private(set) var holds: [Hold?]
  private var lastFrame: UInt64 = 0

  init(count: Int) { holds = Array(repeating: nil, count: count) }

  /// The record of a former host.
  init(holds: [Hold?], lastFrame: UInt64) {
    self.holds = holds
    self.lastFrame = lastFrame
  }

  /// A new guest attaches; slots that the last one presented stay held.
  mutating func begin() { lastFrame = 0 }

  /// Holds a slot for a frame, or returns why not.
  mutating func hold(_ slot: UInt32, frame: UInt64, epoch: UInt32) -> RegionReason? {
    guard slot < UInt32(holds.count) else { return .badSlot }
    guard holds[Int(slot)] == nil else { return .slotHeld }
    guard frame > lastFrame else { return .badFrame }
    lastFrame = frame
    holds[Int(slot)] = Hold(epoch: epoch, frame: frame)
    return nil
  }

  /// Releases a slot. Returns the frame number for the guest of `epoch`, or nil if the slot is not held.
  mutating func release(_ slot: Int, epoch: UInt32) -> UInt64? {
    guard holds.indices.contains(slot), let hold = holds[slot] else { return nil }
    holds[slot] = nil
    return hold.epoch == epoch ? hold.frame : 0
  }

  /// Bit k is set if the host holds slot k.
  var heldMask: UInt64 {
    var mask: UInt64 = 0
    for index in holds.indices where holds[index] != nil { mask |= 1 << UInt64(index) }
    return mask
  }
}

/// The guest's record of which side owns each slot.
struct GuestSlots: Hashable {
  private enum Holder: Hashable {
    case nobody
    case drawing
    /// Presented as that frame; 0 if the host holds it since before the attach.
    case host(UInt64)
  }

  private var holders: [Holder]
  /// The last frame drawn into each slot; 0 if unknown.
  private var frames: [UInt64]
  private(set) var lastFrame: UInt64 = 0

  /// - Parameter heldMask: `held_at_attach`.
  init(count: Int, heldMask: UInt64) {
    holders = (0..<count).map { heldMask >> UInt64($0) & 1 == 1 ? .host(0) : .nobody }
    frames = Array(repeating: 0, count: count)
  }

  /// Takes the free slot with the newest picture; nil if none is free.
  mutating func acquire() -> Int? {
    var best: Int?
    for index in holders.indices where holders[index] == .nobody {
      if best.map({ frames[index] > frames[$0] }) ?? true { best = index }
    }
    if let best { holders[best] = .drawing }
    return best
  }

  /// How many presents ago the slot's picture was new: 1 for the last one; 0 if its content is unknown.
  func age(_ slot: Int) -> UInt64 { frames[slot] == 0 ? 0 : lastFrame - frames[slot] + 1 }

  /// Whether the slot was acquired and not presented or abandoned.
  func isDrawing(_ slot: Int) -> Bool { holders.indices.contains(slot) && holders[slot] == .drawing }

  /// Returns an acquired slot without presenting it; its content is unknown from then on.
  mutating func abandon(_ slot: Int) {
    guard isDrawing(slot) else { return }
    holders[slot] = .nobody
    frames[slot] = 0
  }

  /// The frame number of the next present.
  var nextFrame: UInt64 { lastFrame + 1 }

  /// Gives an acquired slot to the host as frame `nextFrame`.
  mutating func presented(_ slot: Int) {
    lastFrame += 1
    holders[slot] = .host(lastFrame)
    frames[slot] = lastFrame
  }

  /// Takes a slot back; false if the release does not match the guest's hold, and is ignored.
  mutating func released(_ slot: Int, frame: UInt64) -> Bool {
    guard holders.indices.contains(slot), holders[slot] == .host(frame) else { return false }
    holders[slot] = .nobody
    return true
  }

  /// The number of slots that the host holds.
  var heldCount: Int { holders.count { if case .host = $0 { true } else { false } } }
}
