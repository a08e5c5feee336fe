import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import PresentProtocol

extension Presenter {
  /// Queues a lease request before all VMs and after earlier lease requests.
  func requestLease(_ holder: any LeaseHolder, _ request: RequestID) throws(OutputError) {
    if let objection = output.leaseObjection { throw .rejected(objection) }
    let lessee = Lessee(id: nextVMID(), holder: holder, request: request)
    do throws(SchedulerError) {
      try schedule.update { (scheduler, now) throws(SchedulerError) in
        try scheduler.addVM(lessee.id, VMSettings().configuration(vm: "", copy: nil), at: now)
      }
    } catch {
      throw .rejected("\(name) has no room for another lessee: \(error)")
    }
    leasing.add(lessee)
    // A lease makes the output exclusive.
    share(sharing.with(lessees: true))
    if schedule.state.grant.isLeased {
      requestOutput(lessee.id, priority: Presenter.lesseePriority, asLease: true)
    } else {
      let displaced = schedule.state.grant.holder
      focus(on: lessee.id, asLease: true)
      // The displaced VM gets the output back after the lease.
      if let displaced { requestOutput(displaced, priority: Presenter.displacedPriority) }
    }
    queueAll()
    run()
  }

  private static let lesseePriority = 2
  private static let displacedPriority = 1

  /// Grants or revokes the lease as the scheduler has decided. Called after every change.
  func settleLease() {
    while true {
      switch schedule.state.grant.state {
      case .free: return
      case .revoking(let id):
        guard let lessee = leasing.lessee(id) else { return }
        let hold = limits.maximumHoldSeconds.map { "its limit of \($0) s has expired and others wait" } ?? "others wait"
        end(lessee, leasing.reason ?? hold)
      case .granted(let id):
        guard let lessee = leasing.lessee(id), lessee !== leasing.current else { return }
        // Wait for the flip of the pending commit.
        if inFlight != nil || output.isCommitPending { return }
        do throws(OutputError) {
          if !leasing.isCleared {
            try output.clearForLease()
            leasing.isCleared = true
            if output.isCommitPending { return }
          }
          handOver(try output.makeLease(), to: lessee)
        } catch {
          end(lessee, "\(name) cannot be leased: \(error)")
        }
      }
    }
  }

  private func handOver(_ lease: OutputLease, to lessee: Lessee) {
    leasing.begin(lease, of: lessee, atNanoseconds: clock.nowNanoseconds)
    lessee.holder.leaseGranted(lease, request: lessee.request)
    lessee.holder.log("leases \(name)")
  }

  /// Ends a lease, or removes a waiting lessee from the queue.
  ///
  /// - Parameter why: the reason sent to the client; nil if it has disconnected.
  private func end(_ lessee: Lessee, _ why: String?) {
    let hadLease = leasing.remove(lessee)
    onRoom()
    if hadLease { lessee.holder.log("no longer leases \(name)\(why.map { ": \($0)" } ?? "")") }
    if let why {
      if hadLease {
        lessee.holder.leaseEnded(why, request: lessee.request)
      } else {
        lessee.holder.leaseRefused(why, request: lessee.request)
      }
    }
    switch schedule.state.grant.state {
    case .granted(lessee.id), .revoking(lessee.id):
      if leasing.isCleared { output.endLease(showsPicture: isPictureKept) }
      leasing.isCleared = false
      accept(schedule.decide { $0.leaseReturned(at: $1, into: &$2) })
    case .free, .granted, .revoking: break
    }
    accept(schedule.decide { $0.removeVM(lessee.id, at: $1, into: &$2) })
    // Restore how frames were shown before the lease.
    if leasing.lessees.isEmpty { share(sharing.with(lessees: false)) }
    queueAll()
  }

  /// Whether the picture from before the lease still shows the latest frames of its VMs.
  private var isPictureKept: Bool {
    onScreen.entries.allSatisfy { view($0.view)?.latched?.buffer === $0.frame.buffer }
  }

  // MARK: - Ends

  /// Ends all leases of a client whose connection has ended.
  func endLeases(of holder: any LeaseHolder) {
    while let lessee = leasing.lessee(of: holder) {
      end(lessee, nil)
      run()
    }
  }

  /// Ends the lease after all copies of its descriptor are closed.
  func leaseGivenBack() {
    guard let lessee = leasing.current else { return }
    end(lessee, "its descriptor was closed")
    run()
  }

  /// Revokes the lease on the host's command.
  func revokeLease() {
    guard let lessee = leasing.current else { return }
    end(lessee, "the host took \(name) back")
    run()
  }

  /// Why a client may not lease the output; nil if it may.
  func objection(toLeaseBy holder: any LeaseHolder) -> String? {
    leasing.policy.objection(
      to: holder.peer, mayControl: holder.mayControl, groups: holder.peerGroups, output: name)
  }

  /// Changes the lease policy and ends leases that it forbids.
  func setLeasePolicy(_ policy: LeasePolicy) {
    leasing.policy = policy
    for lessee in leasing.lessees {
      if let why = objection(toLeaseBy: lessee.holder) { end(lessee, why) }
    }
    run()
  }
}
