/// A slot that the former host held when this one took over.
public struct RegionHeldFrame {
  /// The slot.
  public var slot: Int
  /// The guest's frame in it; nil if the slot was held since before the attach, or its entry is invalid.
  public var frame: RegionFrame?
  /// Whether DONE was sent for the frame.
  public var isTold: Bool
}

extension RegionHost {
  /// Continues where another host has stopped, at any instruction; the rings show how far it got.
  ///
  /// A slot is held if its last present has no RELEASED after it. A guest that overwrites the ring loses its own slots,
  /// and ignores the release of a slot that it owns.
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
    let history = RingHistory(
      epoch: epoch, head: head.position, tail: tail.position, slotCount: layout.slotCount,
      heldAtAttach: words.heldAtAttach.load())
    var presentRing = words.present
    var releaseRing = words.release
    var presents = history.presents(&presentRing, PresentEntry.self) { (Int($0.slot), $0.frame) }
    history.mark(&presents, &releaseRing, ReleaseEntry.self) { entry in
      switch entry.event {
      case .done(let slot, let frame, _, _, _): ToldEnd(slot: slot, frame: frame, isRelease: false)
      case .released(let slot, let frame): ToldEnd(slot: slot, frame: frame, isRelease: true)
      case nil: nil
      }
    }
    slots = history.slots(presents)
    heldFrames = presents.filter(\.isHeld).sorted { $0.frame < $1.frame }.map { held in
      RegionHeldFrame(slot: held.slot, frame: frame(of: held, in: &presentRing), isTold: held.isTold)
    }
  }

  private func frame(of held: LastPresent, in ring: inout MappedRing) -> RegionFrame? {
    var entry = PresentEntry()
    guard let position = held.position, RingConsumer.reread(position, epoch: epoch, into: &entry, from: &ring),
      entry.slot == UInt32(held.slot), entry.frame == held.frame
    else { return nil }
    return try? picture(of: entry).get()
  }
}
