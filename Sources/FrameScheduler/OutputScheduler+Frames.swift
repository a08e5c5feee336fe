extension OutputScheduler {
  /// The largest frame that is accepted: 16 GiB.
  static let maximumByteCount: Int64 = 1 << 34

  /// Takes a frame that can be shown: its fence has signalled, or it never had one.
  ///
  /// - `byteCount`: the bytes that a copy would take, `max(source, destination)`; 0 to 16 GiB. Not read on the plane
  ///   path.
  /// - A frame in the slot that is older is superseded; the slot keeps its place in the order.
  public mutating func frameReady(
    _ vm: VMID, frame: FrameID, byteCount: Int64, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) -> FrameReceipt {
    decisions.removeAll()
    guard let position = position(of: vm) else { return .refused(.unknownVM) }
    if let failure = check(position, frame, byteCount, at: now) { return failure }
    let held = hold(position, frame, byteCount, at: now)
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
      id: frame, byteCount: byteCount, cost: cost, picosecondsPerByte: rate, ready: now)
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
    case .refusedByDevice: vms[position].statistics.dropped += 1
    case .removed: break
    }
    decisions.discarded.append(DiscardedFrame(vm: vms[position].id, frame: frame.id, reason: reason))
  }
}
