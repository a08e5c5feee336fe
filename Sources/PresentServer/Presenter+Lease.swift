import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import PresentProtocol

extension Presenter {
  /// The output goes to the client before all VMs, which wait, and after lessees that asked before.
  func requestLease(_ holder: any LeaseHolder, _ request: RequestID) throws(OutputError) {
    if let objection = output.leaseObjection { throw .rejected(objection) }
    let lessee = Lessee(id: nextVMID(), holder: holder, request: request)
    do throws(SchedulerError) {
      try scheduler.addVM(lessee.id, VMSettings().configuration(vm: "", copy: nil), at: now)
    } catch {
      throw .rejected("\(name) has no room for a lessee: \(error)")
    }
    leasing.add(lessee)
    // From now on one has the output to itself.
    share(sharing.with(lessees: true))
    if scheduler.grant.isLeased {
      requestOutput(lessee.id, priority: Presenter.lesseePriority, asLease: true)
    } else {
      let displaced = scheduler.grant.holder
      focus(on: lessee.id, asLease: true)
      // Whoever was shown comes back.
      if let displaced { requestOutput(displaced, priority: Presenter.displacedPriority) }
    }
    queueAll()
    run()
  }

  private static let lesseePriority = 2
  private static let displacedPriority = 1

  /// Does with the lease what the scheduler has decided; called again whenever something has changed.
  func settleLease() {
    while true {
      switch scheduler.grant.state {
      case .free: return
      case .revoking(let id):
        guard let lessee = leasing.lessee(id) else { return }
        let hold = limits.maximumHoldSeconds.map { "its \($0) s are over, and others wait" } ?? "others wait"
        end(lessee, leasing.reason ?? hold)
      case .granted(let id):
        guard let lessee = leasing.lessee(id), lessee !== leasing.current else { return }
        // The flip of a commit that is under way comes first, and then this.
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
    lessee.holder.log("has \(name) as a lease")
  }

  /// Takes an output back from a lessee, or a lessee that waits out of the queue.
  ///
  /// - Parameter why: for the client; nil where it is gone.
  private func end(_ lessee: Lessee, _ why: String?) {
    let hadLease = leasing.remove(lessee)
    onRoom()
    if hadLease { lessee.holder.log("gives \(name) back\(why.map { ": \($0)" } ?? "")") }
    if let why {
      if hadLease {
        lessee.holder.leaseEnded(why, request: lessee.request)
      } else {
        lessee.holder.leaseRefused(why, request: lessee.request)
      }
    }
    switch scheduler.grant.state {
    case .granted(lessee.id), .revoking(lessee.id):
      if leasing.isCleared { output.endLease(showsPicture: isPictureKept) }
      leasing.isCleared = false
      scheduler.leaseReturned(at: now, into: &decisions)
      reportUnseen()
    case .free, .granted, .revoking: break
    }
    scheduler.removeVM(lessee.id, at: now, into: &decisions)
    reportUnseen()
    // Frames are shown as they were before there was a lessee.
    if leasing.lessees.isEmpty { share(sharing.with(lessees: false)) }
    queueAll()
  }

  /// Whether what was on screen before the lease is still what its VMs showed last.
  private var isPictureKept: Bool {
    onScreen.entries.allSatisfy { tile($0.tile)?.latched?.buffer === $0.frame.buffer }
  }

  // MARK: - Ends

  /// The client's connection has ended.
  func endLeases(of holder: any LeaseHolder) {
    while let lessee = leasing.lessee(of: holder) {
      end(lessee, nil)
      run()
    }
  }

  /// All copies of the descriptor are closed.
  func leaseGivenBack() {
    guard let lessee = leasing.current else { return }
    end(lessee, "its descriptor was closed")
    run()
  }

  /// Takes the lease back by the host's command.
  func revokeLease() {
    guard let lessee = leasing.current else { return }
    end(lessee, "the host took \(name) back")
    run()
  }

  /// Why that client may not lease the output; nil where it may.
  func objection(toLeaseBy holder: any LeaseHolder) -> String? {
    leasing.policy.objection(to: holder.peer, groups: holder.peerGroups, output: name)
  }

  /// Takes another policy; leases that it forbids end.
  func setLeasePolicy(_ policy: LeasePolicy) {
    leasing.policy = policy
    for lessee in leasing.lessees {
      if let why = objection(toLeaseBy: lessee.holder) { end(lessee, why) }
    }
    run()
  }
}
