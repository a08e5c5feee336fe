/// A slot that a former host held when this one began.
public struct RegionHeldFrame {
  /// The slot.
  public var slot: Int
  /// The guest's frame in it; nil where the slot was held since before the attach, or its entry makes no sense.
  public var frame: RegionFrame?
  /// Whether the guest knows what became of the frame.
  public var isTold: Bool
}

extension RegionHost {
  /// Goes on where another host has stopped, at whatever instruction: the rings tell how far it was.
  ///
  /// A slot is held where its last present has no RELEASED behind it. What a spoilt ring says of that is the guest's own
  /// loss: the slots are its own, and a release of a slot that it has means nothing to it.
  func takeOver() {
    let attach = AttachWord(rawValue: words.attach.load())
    let head = EpochWord(rawValue: words.presentHead.load())
    let tail = EpochWord(rawValue: words.releaseTail.load())
    guard attach.epoch != 0, words.acknowledged.load() == UInt64(attach.epoch) << 32, head.epoch == attach.epoch,
      tail.epoch == attach.epoch
    else { return }
    epoch = attach.epoch
    guestFlags = attach.flags
    lastAttach = attach.rawValue
    epochRefusals = UInt32(truncatingIfNeeded: words.refusals.load() >> 32)
    present = RingConsumer(epoch: epoch, head: head.position)
    release = RingProducer(epoch: epoch, tail: tail.position)
    var frames = lastFrames(before: head.position)
    forgetReleased(&frames, before: tail.position)
    var holds: [HostSlots.Hold?] = Array(repeating: nil, count: layout.slotCount)
    var lastFrame: UInt64 = 0
    for frame in frames {
      lastFrame = max(lastFrame, frame.number)
      guard frame.isHeld else { continue }
      holds[frame.slot] = HostSlots.Hold(epoch: frame.number == 0 ? 0 : epoch, frame: frame.number)
      heldFrames.append(RegionHeldFrame(slot: frame.slot, frame: frame.frame, isTold: frame.isTold))
    }
    slots = HostSlots(holds: holds, lastFrame: lastFrame)
    heldFrames.sort { ($0.frame?.frame ?? 0) < ($1.frame?.frame ?? 0) }
  }

  /// A slot's last present, as the rings tell it.
  private struct LastFrame {
    var slot: Int
    var number: UInt64
    var frame: RegionFrame?
    var isHeld = true
    var isTold = false
  }

  /// The last present of each slot; frame 0 for one that was held at the attach and not presented since.
  private func lastFrames(before head: UInt32) -> [LastFrame] {
    var found: [LastFrame] = []
    var entry = PresentEntry()
    var ring = words.present
    for back in 1...UInt32(layout.presentEntryCount) {
      guard RingConsumer.reread(head &- back, epoch: epoch, into: &entry, from: &ring) else { continue }
      let slot = Int(entry.slot)
      guard slot < layout.slotCount, !found.contains(where: { $0.slot == slot }) else { continue }
      found.append(LastFrame(slot: slot, number: entry.frame, frame: try? picture(of: entry).get()))
    }
    let heldAtAttach = words.heldAtAttach.load()
    for slot in 0..<layout.slotCount where heldAtAttach >> UInt64(slot) & 1 == 1 {
      if !found.contains(where: { $0.slot == slot }) { found.append(LastFrame(slot: slot, number: 0, isTold: true)) }
    }
    return found
  }

  private func forgetReleased(_ frames: inout [LastFrame], before tail: UInt32) {
    var entry = ReleaseEntry()
    var ring = words.release
    for back in 1...UInt32(layout.releaseEntryCount) {
      guard RingConsumer.reread(tail &- back, epoch: epoch, into: &entry, from: &ring) else { continue }
      switch entry.event {
      case .done(let slot, let number, _, _, _):
        for index in frames.indices where frames[index].slot == slot && frames[index].number == number {
          frames[index].isTold = true
        }
      case .released(let slot, let number):
        for index in frames.indices where frames[index].slot == slot && frames[index].number == number {
          frames[index].isHeld = false
        }
      case nil: break
      }
    }
  }
}
