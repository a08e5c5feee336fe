extension MemoryAdmission {
  /// The smallest capacity with which the present state would be safe.
  public var leastCapacityBytes: Int64 {
    mutating get {
      sortOrder()
      var held = orphanedBytes
      for account in accounts { held += account.used + overheadBytesPerVM }
      var least = held
      var returned: Int64 = 0
      for place in order {
        least = max(least, held + remainingNeed(place) - returned)
        returned += accounts[place].used + overheadBytesPerVM
      }
      return least
    }
  }

  /// The highest maximum that a VM could declare beside what the others hold and may still want.
  public func largestSafeMaximum(of vm: VMID) -> Int64 {
    guard let position = account(of: vm) else { return max(0, capacityBytes - overheadBytesPerVM) }
    var trial = self
    var (low, high) = (accounts[position].used, max(accounts[position].used, capacityBytes - overheadBytesPerVM))
    while low < high {
      let middle = low + (high - low) / 2 + 1
      trial.accounts[position].maximum = middle
      if trial.isSafe { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// Changes the capacity and the VMs' maxima, including those that wait for admission; then grants what is possible. A
  /// VM that holds more than its maximum keeps it and gets no more; suspended requests that exceed the limits now are
  /// refused.
  ///
  /// The caller ensures that the state stays safe: see `leastCapacity(capacityBytes:overheadBytesPerVM:maxima:)`.
  public mutating func setLimits(
    capacityBytes: Int64, overheadBytesPerVM: Int64, maxima: [(vm: VMID, bytes: Int64)], at now: Nanoseconds,
    into decisions: inout [MemoryDecision]
  ) {
    assign(capacityBytes, overheadBytesPerVM, maxima)
    for (vm, _) in maxima { refuseExcess(of: vm, into: &decisions) }
    resume(at: now, into: &decisions)
  }

  /// The smallest capacity with which the present state would be safe under these maxima; nil if the given one is
  /// sufficient.
  public func leastCapacity(
    capacityBytes: Int64, overheadBytesPerVM: Int64, maxima: [(vm: VMID, bytes: Int64)]
  ) -> Int64? {
    var trial = self
    trial.assign(capacityBytes, overheadBytesPerVM, maxima)
    return trial.isSafe ? nil : trial.leastCapacityBytes
  }

  private mutating func assign(
    _ capacityBytes: Int64, _ overheadBytesPerVM: Int64, _ maxima: [(vm: VMID, bytes: Int64)]
  ) {
    self.capacityBytes = max(0, capacityBytes)
    self.overheadBytesPerVM = max(0, overheadBytesPerVM)
    for (vm, bytes) in maxima {
      let maximum = max(0, bytes)
      if let position = account(of: vm) { accounts[position].maximum = maximum }
      if let place = suspended.firstIndex(where: { $0.vm == vm && $0.isAdmission }) {
        suspended[place].byteCount = maximum
      }
    }
  }

  private mutating func refuseExcess(of vm: VMID, into decisions: inout [MemoryDecision]) {
    guard let position = account(of: vm) else {
      guard let place = suspended.firstIndex(where: { $0.vm == vm && $0.initialBytes > $0.byteCount }) else { return }
      let request = suspended.remove(at: place)
      let refusal = MemoryRefusal.exceedsMaximum(remainingBytes: request.byteCount)
      return decisions.append(MemoryDecision(ticket: request.ticket, vm: vm, reply: .refused(refusal)))
    }
    var remaining = accounts[position].maximum - accounts[position].used
    var place = 0
    while place < suspended.count {
      let request = suspended[place]
      if request.vm != vm {
        place += 1
      } else if request.byteCount <= remaining {
        remaining -= request.byteCount
        place += 1
      } else {
        suspended.remove(at: place)
        let refusal = MemoryRefusal.exceedsMaximum(remainingBytes: max(0, remaining))
        decisions.append(MemoryDecision(ticket: request.ticket, vm: vm, reply: .refused(refusal)))
      }
    }
  }
}
