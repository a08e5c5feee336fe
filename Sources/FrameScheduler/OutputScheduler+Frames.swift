extension OutputScheduler {
  /// The largest frame that is accepted: 16 GiB.
  static let maximumByteCount: Int64 = 1 << 34

  /// Announces a frame whose fence has not signalled yet.
  ///
  /// It stays out of every commit until `frameReady` names it, and is dropped after the readiness timeout. At most
  /// four can wait; a fifth takes the place of the oldest.
  public mutating func framePending(
    _ vm: VMID, frame: FrameID, byteCount: Int64, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) -> FrameReceipt {
    decisions.removeAll()
    guard let position = position(of: vm) else { return .refused(.unknownVM) }
    if let failure = check(position, frame, byteCount, at: now) { return failure }
    let held = hold(position, frame, byteCount, at: now)
    if vms[position].pendingCount == VMState.pendingLimit {
      let oldest = vms[position].removePending(at: 0)
      discard(oldest, of: position, .superseded, into: &decisions)
    }
    vms[position].pending[vms[position].pendingCount] = held
    vms[position].pendingCount += 1
    flushReleases(of: position, at: now, into: &decisions)
    replan(at: now, after: position)
    return .accepted
  }

  /// Takes a frame that can be shown: its fence has signalled, or it never had one.
  ///
  /// - `byteCount`: the bytes that a copy would take, `max(source, destination)`; 0 to 16 GiB. Not read on the plane
  ///   path.
  /// - A frame that was announced by `framePending` becomes ready; older announced ones are superseded.
  /// - A frame in the slot that is older is superseded; the slot keeps its place in the order.
  public mutating func frameReady(
    _ vm: VMID, frame: FrameID, byteCount: Int64, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) -> FrameReceipt {
    decisions.removeAll()
    guard let position = position(of: vm) else { return .refused(.unknownVM) }
    let held: HeldFrame
    if let place = vms[position].pendingPosition(of: frame) {
      for _ in 0..<place {
        let older = vms[position].removePending(at: 0)
        discard(older, of: position, .superseded, into: &decisions)
      }
      var announced = vms[position].removePending(at: 0)
      announced.ready = now
      held = announced
    } else {
      if let failure = check(position, frame, byteCount, at: now) { return failure }
      held = hold(position, frame, byteCount, at: now)
      while vms[position].pendingCount > 0 {
        let older = vms[position].removePending(at: 0)
        discard(older, of: position, .superseded, into: &decisions)
      }
    }
    fillSlot(position, held, at: now, into: &decisions)
    flushReleases(of: position, at: now, into: &decisions)
    replan(at: now, after: position)
    return .accepted
  }

  /// Gate 4: the newest ready frame is in the slot; it takes over the turn of the one that it replaces.
  private mutating func fillSlot(
    _ position: Int, _ frame: HeldFrame, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    if let older = vms[position].slot {
      if !older.isRepeat { discard(older, of: position, .superseded, into: &decisions) }
    } else {
      vms[position].firstReady = now
      vms[position].arrivalTag = clock.now
      vms[position].wasSilent = now - vms[position].lastReady > VMState.silenceNanoseconds
    }
    vms[position].slot = frame
    vms[position].lastReady = now
    vms[position].protection.noteReady()
    grant.noteReady(vms[position].id, at: now)
  }

  /// Gates 1 and 5: a number that grows, a size in range, a token. A wrong announcement costs a token too.
  private mutating func check(
    _ position: Int, _ frame: FrameID, _ byteCount: Int64, at now: Nanoseconds
  ) -> FrameReceipt? {
    if let until = vms[position].tokens.take(at: now) {
      vms[position].statistics.throttled += 1
      return .throttled(until: until)
    }
    if let last = vms[position].lastAccepted, frame <= last {
      vms[position].statistics.refused += 1
      return .refused(.staleFrame)
    }
    guard (0...Self.maximumByteCount).contains(byteCount) else {
      vms[position].statistics.refused += 1
      return .refused(.byteCountOutOfRange)
    }
    return nil
  }

  private mutating func hold(
    _ position: Int, _ frame: FrameID, _ byteCount: Int64, at now: Nanoseconds
  ) -> HeldFrame {
    let rate = vms[position].copyRate.picosecondsPerByte
    let cost = ceilingDivide(byteCount * rate, 1_000)
    let held = HeldFrame(
      id: frame, byteCount: byteCount, cost: cost, picosecondsPerByte: rate, arrived: now, ready: now)
    vms[position].lastAccepted = frame
    vms[position].statistics.accepted += 1
    if configuration.releasesSeenFrames || !isSeen(position) { vms[position].hold(held) }
    return held
  }

  mutating func discard(
    _ frame: HeldFrame, of position: Int, _ reason: DiscardReason, into decisions: inout FrameDecisions
  ) {
    switch reason {
    case .superseded: vms[position].statistics.superseded += 1
    case .neverReady, .refusedByDevice: vms[position].statistics.dropped += 1
    case .removed: break
    }
    decisions.discarded.append(DiscardedFrame(vm: vms[position].id, frame: frame.id, reason: reason))
  }
}
