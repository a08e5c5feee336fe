extension OutputScheduler {
  /// Puts a VM on the output.
  ///
  /// Throws `SchedulerError`: too many, already there, a number out of range, or a promise that can't be kept, with
  /// the highest rate that can. May allocate.
  public mutating func addVM(
    _ vm: VMID, _ configuration: VMConfiguration, at now: Nanoseconds
  ) throws(SchedulerError) {
    guard position(of: vm) == nil else { throw .duplicateVM(vm) }
    guard vms.count < Int(self.configuration.maximumVMCount) else {
      throw .tooManyVMs(limit: Int(self.configuration.maximumVMCount))
    }
    let phase = try admit(configuration, excluding: nil)
    let tokens = TokenBucket(rate: self.configuration.commandRate, burst: self.configuration.commandBurst)
    var state = VMState(
      id: vm, configuration: configuration, cap: capCadence(configuration), floor: floorCadence(configuration, phase),
      tokens: tokens, copyRate: copyRate)
    state.phase = phase
    state.finish = clock.join(owner: configuration.owner)
    vms.append(state)
    replan(at: now)
  }

  /// Changes how a VM is scheduled; nothing that it has in flight is lost.
  ///
  /// Throws as `addVM`; the old configuration then stays.
  public mutating func configureVM(
    _ vm: VMID, _ configuration: VMConfiguration, at now: Nanoseconds
  ) throws(SchedulerError) {
    guard let position = position(of: vm) else { throw .unknownVM(vm) }
    let phase = try admit(configuration, excluding: position)
    vms[position].configuration = configuration
    vms[position].phase = phase
    vms[position].path = configuration.path
    vms[position].slotPromise = nil
    vms[position].protection = ProtectionState()
    let rates = (capCadence(configuration), floorCadence(configuration, phase))
    // The same cap goes on in its own step.
    if rates.0.rate != vms[position].cap.rate { vms[position].cap = rates.0 }
    vms[position].floor = rates.1
    replan(at: now)
  }

  /// Tells how a VM's next frames reach the screen, after a plane was won or lost.
  public mutating func setPath(_ path: FramePath, of vm: VMID, at now: Nanoseconds) {
    guard let position = position(of: vm), vms[position].path != path else { return }
    vms[position].path = path
    replan(at: now)
  }

  /// Takes a VM off the output: its frames are discarded, all its fences released. Unknown ids are ignored.
  public mutating func removeVM(_ vm: VMID, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    guard let position = position(of: vm) else { return }
    discardAll(of: position, into: &decisions)
    if let last = vms[position].lastAccepted, vms[position].firstUnreleased != nil {
      decisions.releases.append(FenceRelease(vm: vm, through: last))
    }
    clock.leave(owner: vms[position].configuration.owner, finish: vms[position].finish)
    let isVisible = vms[position].shown != nil || vms[position].staged != nil
    vms.remove(at: position)
    if cursor > position { cursor -= 1 }
    if cursor >= vms.count { cursor = 0 }
    let holderBefore = grant.holder
    grant.remove(vm, at: now)
    if policy == .exclusive {
      holderMayHaveChanged(from: holderBefore, into: &decisions)
    } else if isVisible {
      isDirty = true
    }
    replan(at: now)
  }

  /// Changes the policy between two commits: no ready frame is lost, what is being copied is finished.
  public mutating func setPolicy(
    _ policy: SchedulingPolicy, at now: Nanoseconds, into decisions: inout FrameDecisions
  ) {
    decisions.removeAll()
    guard policy != self.policy else { return }
    let wasExclusive = self.policy == .exclusive
    self.policy = policy
    rules.policy = policy
    for position in vms.indices {
      vms[position].slotPromise = nil
      vms[position].cap = capCadence(vms[position].configuration)
    }
    if wasExclusive {
      isDirty = true
      displayed = .tiles
      for position in vms.indices { repeatShown(of: position) }
    } else if policy == .exclusive {
      holderMayHaveChanged(from: nil, into: &decisions)
    }
    replan(at: now)
  }

  /// Asks for a commit of the whole picture although no frame is new, as after a change of the layout.
  ///
  /// With `repeatingFrames` the VMs' last frames are latched again.
  public mutating func invalidate(repeatingFrames: Bool, at now: Nanoseconds) {
    isDirty = true
    if repeatingFrames {
      for position in vms.indices { repeatShown(of: position) }
    }
    replan(at: now)
  }

  /// Asks for a commit before the next vblank although no frame is new, as late as is safe: a cursor has moved. A frame
  /// that comes meanwhile takes the same commit.
  public mutating func touch(at now: Nanoseconds) {
    isTouched = true
    replan(at: now)
  }

  /// Takes back what a VM has ready, as when it blanks its screen. A frame whose flip is pending comes on screen.
  public mutating func withdrawFrames(of vm: VMID, at now: Nanoseconds, into decisions: inout FrameDecisions) {
    decisions.removeAll()
    guard let position = position(of: vm) else { return }
    for frame in [vms[position].completed, vms[position].working, vms[position].slot] {
      guard let frame, !frame.isRepeat else { continue }
      discard(frame, of: position, .superseded, into: &decisions)
    }
    vms[position].completed = nil
    vms[position].stopCopying()
    vms[position].slot = nil
    vms[position].shown = nil
    vms[position].slotPromise = nil
    flushReleases(of: position, at: now, into: &decisions)
    replan(at: now)
  }

  /// Puts a VM's last frame into its slot again, if nothing newer is there.
  mutating func repeatShown(of position: Int) {
    guard !vms[position].hasReadyFrame, vms[position].staged == nil, var frame = vms[position].shown else { return }
    frame.isRepeat = true
    vms[position].slot = frame
    vms[position].firstReady = frame.ready
    vms[position].arrivalTag = clock.now
  }

  private mutating func discardAll(of position: Int, into decisions: inout FrameDecisions) {
    let vm = vms[position]
    for frame in [vm.staged, vm.completed, vm.working, vm.slot] {
      guard let frame, !frame.isRepeat else { continue }
      decisions.discarded.append(DiscardedFrame(vm: vm.id, frame: frame.id, reason: .removed))
    }
  }

  private func admit(_ candidate: VMConfiguration, excluding position: Int?) throws(SchedulerError) -> Int64 {
    try candidate.validate()
    guard let level = candidate.serviceLevel else { return 0 }
    let others = vms.indices.compactMap { other -> ServiceAdmission.Promise? in
      guard other != position, let promised = vms[other].configuration.serviceLevel else { return nil }
      return ServiceAdmission.Promise(level: promised, phase: vms[other].phase)
    }
    let admission = ServiceAdmission(configuration: configuration, timing: timing)
    // More than its own cap cannot be promised to a VM.
    let cap = candidate.rateCapMillihertz ?? .max
    guard level.rateMillihertz <= cap, let phase = admission.phase(for: level, beside: others) else {
      var within = level
      within.rateMillihertz = min(level.rateMillihertz, cap)
      throw .infeasible(largestFeasibleMillihertz: admission.largestFeasibleRate(of: within, beside: others))
    }
    return phase
  }

  mutating func refreshCadences() {
    for position in vms.indices {
      let vm = vms[position]
      vms[position].cap = capCadence(vm.configuration)
      vms[position].floor = floorCadence(vm.configuration, vm.phase)
      vms[position].slotPromise = nil
    }
  }

  private func capCadence(_ configuration: VMConfiguration) -> Cadence {
    let refresh = timing.refreshMillihertz
    let rate = min(configuration.rateCapMillihertz ?? refresh, refresh)
    return Cadence(rate: rate, refresh: refresh, firstIndex: 0)
  }

  private func floorCadence(_ configuration: VMConfiguration, _ phase: Int64) -> Cadence {
    let refresh = timing.refreshMillihertz
    return Cadence(
      rate: configuration.serviceLevel?.rateMillihertz ?? refresh, refresh: refresh, firstIndex: phase)
  }
}
