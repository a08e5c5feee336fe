import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import StatusModel

extension Server {
  /// The current state of the daemon, without its VMs.
  func statusWithoutVMs() -> DaemonStatus {
    let settings = memory.settings
    return DaemonStatus(
      nowNanoseconds: clock.nowNanoseconds, unixNanoseconds: realtimeNanoseconds(), socket: path,
      controlSocket: controlPath, clients: clients.users.connectionCount, clientLimit: clients.users.connectionLimit,
      process: process,
      bufferBytes: memory.usedBytes,
      bufferCapacityBytes: settings.capacityBytes == .max ? nil : settings.capacityBytes,
      bufferOverheadBytes: settings.overheadBytes,
      memorySelection: DaemonStatus.MemorySelection(settings.selection), countsImports: settings.countsImports,
      longestCopyNanoseconds: placement.budget.longestNanoseconds, seat: seatStatus(),
      outputs: presenters.map(DaemonStatus.Output.init), vms: [])
  }

  private var process: DaemonStatus.Process {
    let usage = ProcessUsage.current()
    return DaemonStatus.Process(
      pid: currentProcessID(), startedUnixNanoseconds: startedUnixNanoseconds, cpuNanoseconds: usage.cpuNanoseconds,
      residentBytes: usage.residentBytes, openDescriptors: usage.openDescriptors,
      descriptorLimit: usage.descriptorLimit)
  }
}

extension ClientSession {
  /// What a client of the frames socket learns about the daemon, without itself.
  func statusWithoutVM() -> OwnStatus {
    OwnStatus(
      nowNanoseconds: server.clock.nowNanoseconds, unixNanoseconds: realtimeNanoseconds(),
      outputs: server.presenters.map(OwnStatus.Output.init), vms: [])
  }
}

extension OwnStatus.Output {
  fileprivate init(_ presenter: Presenter) {
    let info = presenter.output.info
    self.init(
      name: presenter.name, width: info.mode.width, height: info.mode.height,
      refreshMillihertz: info.mode.refreshMillihertz, connected: info.connected)
  }
}

extension DaemonStatus.Output {
  fileprivate init(_ presenter: Presenter) {
    let info = presenter.output.info
    let counters = presenter.output.counters
    let lessee = presenter.leasing.current
    let shown = lessee == nil ? presenter.focusedView ?? presenter.views.first : nil
    let slowest = info.variableMillihertz?.lowerBound ?? 0
    self.init(
      name: presenter.name, kind: Kind(info.kind), width: info.mode.width, height: info.mode.height,
      refreshMillihertz: info.mode.refreshMillihertz, commits: counters.commits, missedVblanks: counters.missedVblanks,
      connected: info.connected, cursorSize: info.cursorSize, layout: presenter.sharing.layout.name,
      policy: Policy(presenter.schedule.state.policy), redZoneNanoseconds: presenter.schedule.state.redZoneNanoseconds,
      maximumHoldSeconds: presenter.limits.maximumHoldSeconds, watchdogSeconds: presenter.limits.watchdogSeconds,
      overlayPlanes: presenter.output.overlayCount, leasePolicy: presenter.leasing.policy.text,
      leasesWaiting: presenter.leasing.lessees.count { $0 !== lessee }, lessee: lessee.flatMap(Lessee.init),
      vrr: VariableRefresh(presenter.variableRate.rule), variableSlowestMillihertz: slowest == 0 ? nil : slowest,
      variableFastestMillihertz: info.variableMillihertz?.upperBound,
      isVariable: presenter.schedule.state.followsCommits,
      power: Power(presenter.power.effective), powerReason: PowerReason(presenter.power),
      idleBlankSeconds: presenter.power.limits.blankSeconds, idleOffSeconds: presenter.power.limits.offSeconds,
      vms: presenter.views.map(Tile.init), vm: shown?.surface.vmName)
  }
}

extension DaemonStatus.Output.Lessee {
  fileprivate init?(_ lessee: PresentServer.Lessee) {
    guard let lease = lessee.lease else { return nil }
    self.init(
      name: lessee.holder.name, pid: lessee.holder.peer.pid, uid: lessee.holder.peer.uid,
      lesseeID: lease.lesseeID, sinceNanoseconds: lease.sinceNanoseconds)
  }
}

extension DaemonStatus.Output.Tile {
  fileprivate init(_ view: PresentServer.SurfaceView) {
    self.init(
      name: view.surface.vmName, x: view.rect.x, y: view.rect.y, width: view.rect.width, height: view.rect.height)
  }
}

extension DaemonStatus.VM {
  init(_ session: ClientSession) {
    let settings = session.settings
    self.init(
      name: session.hello?.name ?? "", pid: session.peer.pid, uid: session.peer.uid, label: session.peerLabel,
      kind: session.hello?.kind == .container ? .container : .vm,
      bufferBytes: session.account.usedBytes, bufferLimitBytes: session.account.limitBytes,
      waitingBuffers: session.requests.waiting.count,
      waitingBytes: session.requests.waiting.reduce(0) { $0 + $1.byteCount }, weight: settings.weight,
      promisedHertz: settings.promisedHertz, cappedHertz: settings.cappedHertz,
      unseenHertz: settings.unseenHertz ?? SchedulerConfiguration().backgroundMillihertz / 1000,
      deviceMemoryLimitBytes: session.device?.memoryLimitBytes,
      blankStoppedSeconds: session.device?.blankStoppedSeconds,
      scanouts: session.surfaces.map { DaemonStatus.Scanout($0, of: session) })
  }
}

extension DaemonStatus.Scanout {
  fileprivate init(_ surface: Surface, of session: ClientSession) {
    let frame = surface.view.flatMap { $0.presenter.onScreen.entry(of: $0.id)?.frame }
    let granted = surface.view.flatMap { $0.presenter.schedule.state.statistics(of: $0.id) }
    let (path, reason) = surface.currentPath
    let counters = surface.counters
    let hasLatch = counters.latch.count > 0
    self.init(
      index: surface.index, output: surface.presenter?.name, width: frame?.source.width, height: frame?.source.height,
      format: frame?.buffer.buffer.layout.format.name, path: ScanoutPath(path),
      pathReason: reason.isEmpty ? nil : reason, framesPresented: counters.presented.value,
      framesFlipped: counters.flipped.value,
      framesSuperseded: counters.superseded.value, framesRejected: counters.rejected.value,
      cpuCopies: counters.cpuCopies.value,
      copiedBytes: counters.copiedBytes.value, latchMedianNanoseconds: hasLatch ? counters.latch.percentile(50) : nil,
      latchP99Nanoseconds: hasLatch ? counters.latch.percentile(99) : nil, latchCount: counters.latch.count,
      latchSumNanoseconds: counters.latch.sumNanoseconds, latchBuckets: counters.latch.cumulativeCounts,
      lastLatchNanoseconds: counters.lastLatchNanoseconds == 0 ? nil : counters.lastLatchNanoseconds,
      grantedFrames: granted.map { UInt64(clamping: $0.shown) },
      grantedBlitNanoseconds: granted.map { UInt64(clamping: $0.blitNanoseconds) },
      missedPromises: granted.map { UInt64(clamping: $0.missed) },
      buffers: surface.buffers.count + (session.region(of: surface)?.bufferCount ?? 0),
      generation: surface.generation.wire,
      parked: surface.parking.map(\.reason))
  }
}

extension Surface.Parking {
  /// The reason in the status.
  fileprivate var reason: String {
    switch self {
    case .noneFree: "no output is free"
    case .unplugged(let output): "\(output) is unplugged"
    }
  }
}
