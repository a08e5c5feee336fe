/// What the plan has to know of a VM, so that an event of one VM looks at the others' outlooks alone.
struct VMOutlook: Sendable {
  /// The first vblank that its frame can be for; `.max` where it has none.
  var eligible = Int64.max
  /// What is left to copy of that frame.
  var work: Nanoseconds = 0
  /// The declared blit time of a promised frame; 0 where nothing is promised, or nothing copied.
  var declared: Nanoseconds = 0
  /// The vblank from which the promise is due, and the last that it was served for.
  var dueIndex = Int64.max
  var servedIndex: Int64 = -1
  /// Until when time is kept for a promised frame that is not ready.
  var aliveUntil = Nanoseconds.min
}

extension OutputScheduler {
  /// Notes that anything may have happened to every VM.
  mutating func noteChange() {
    staleOutlooks = .max
    staleUpkeeps = .max
  }

  /// Notes that something has happened to one VM.
  mutating func noteChange(of position: Int) {
    staleOutlooks |= 1 << UInt64(position)
    staleUpkeeps |= 1 << UInt64(position)
  }

  /// Looks at the VMs anew that something may have happened to.
  mutating func refreshOutlooks() {
    var rest = staleOutlooks & everyVM
    staleOutlooks = 0
    while rest != 0 {
      let position = rest.trailingZeroBitCount
      rest &= rest - 1
      outlooks[position] = outlook(of: position)
    }
  }

  /// The same for what falls due without a commit.
  mutating func refreshUpkeeps() {
    var rest = staleUpkeeps & everyVM
    staleUpkeeps = 0
    while rest != 0 {
      let position = rest.trailingZeroBitCount
      rest &= rest - 1
      upkeeps[position] = nextUpkeep(of: position)
    }
  }

  /// A bit for each place in the table.
  @inline(__always)
  var everyVM: UInt64 { vms.count == 64 ? .max : (1 << UInt64(vms.count)) - 1 }

  @inline(__always)
  private func outlook(of position: Int) -> VMOutlook {
    var outlook = VMOutlook()
    if let eligible = eligibleIndex(position) {
      outlook.eligible = eligible
      if vms[position].completed == nil { outlook.work = vms[position].remainingCost }
    }
    outlook.servedIndex = vms[position].servedIndex
    if vms[position].path == .blit, isPromised(position), let level = vms[position].configuration.serviceLevel {
      outlook.declared = level.frameNanoseconds
      outlook.dueIndex = vms[position].floor.dueIndex
      let isReady = vms[position].slot != nil || vms[position].working != nil || vms[position].completed != nil
      if !isReady { outlook.aliveUntil = vms[position].lastReady + VMState.silenceNanoseconds }
    }
    return outlook
  }
}
