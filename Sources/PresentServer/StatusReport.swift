import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension Server {
  /// What `framepath status --json` prints.
  func statusJSON() -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.array("outputs") { json in
        for presenter in presenters { json.object { json in Server.report(presenter, &json) } }
      }
      json.array("vms") { json in
        for session in sessions where !session.heads.isEmpty {
          json.object { json in Server.report(session, &json) }
        }
      }
      json.field("bufferBytes", memory.usedBytes)
      json.field("bufferCapacityBytes", memory.settings.capacityBytes)
      json.field("bufferOverheadBytes", memory.settings.overheadBytes)
      json.field("memorySelection", memory.settings.selection.rawValue)
      json.field("socket", path)
    }
    return json.bytes
  }

  private static func report(_ presenter: Presenter, _ json: inout JSONWriter) {
    let info = presenter.output.info
    let counters = presenter.output.counters
    json.field("name", presenter.name)
    json.field("kind", info.kind.rawValue)
    json.field("width", info.mode.width)
    json.field("height", info.mode.height)
    json.field("refreshMillihertz", info.mode.refreshMillihertz)
    json.field("commits", counters.commits)
    json.field("missedVblanks", counters.missedVblanks)
    json.field("connected", info.connected)
    json.field("cursorSize", info.cursorSize)
    json.field("layout", presenter.sharing.layout.name)
    json.field("policy", presenter.scheduler.policy.rawValue)
    json.field("redZoneNanoseconds", presenter.scheduler.redZoneNanoseconds)
    json.field("maximumHoldSeconds", presenter.limits.maximumHoldSeconds ?? 0)
    json.field("watchdogSeconds", presenter.limits.watchdogSeconds ?? 0)
    json.field("overlayPlanes", presenter.output.overlayCount)
    json.field("leasePolicy", presenter.leasing.policy.text)
    json.field("leasesWaiting", presenter.leasing.lessees.count { $0 !== presenter.leasing.current })
    if let lessee = presenter.leasing.current {
      json.object("lessee") { json in
        json.field("name", lessee.holder.name)
        json.field("pid", lessee.holder.peer.pid)
        json.field("uid", lessee.holder.peer.uid)
        json.field("lesseeID", lessee.lesseeID)
        json.field("sinceNanoseconds", lessee.sinceNanoseconds)
      }
    }
    json.field("vrr", presenter.variableRefresh.rawValue)
    json.field("variableSlowestMillihertz", info.variableMillihertz?.lowerBound ?? 0)
    json.field("variableFastestMillihertz", info.variableMillihertz?.upperBound ?? 0)
    json.field("isVariable", presenter.scheduler.followsCommits)
    json.field("power", presenter.power.effective.rawValue)
    json.field("powerReason", presenter.power.reason)
    json.field("idleBlankSeconds", presenter.power.limits.blankSeconds ?? 0)
    json.field("idleOffSeconds", presenter.power.limits.offSeconds ?? 0)
    json.array("vms") { json in
      for tile in presenter.tiles {
        json.object { json in
          json.field("name", tile.head.vmName)
          json.field("x", tile.rect.x)
          json.field("y", tile.rect.y)
          json.field("width", tile.rect.width)
          json.field("height", tile.rect.height)
        }
      }
    }
    let shown = presenter.leasing.current == nil ? presenter.focusedTile ?? presenter.tiles.first : nil
    json.field("vm", shown?.head.vmName ?? "")
  }

  private static func report(_ session: ClientSession, _ json: inout JSONWriter) {
    json.field("name", session.hello?.name ?? "")
    json.field("pid", session.peer.pid)
    json.field("kind", session.hello?.kind == .container ? "container" : "vm")
    json.field("bufferBytes", session.account.usedBytes)
    json.field("bufferLimitBytes", session.account.limitBytes)
    json.field("waitingBuffers", session.requests.waiting.count)
    json.field("waitingBytes", session.requests.waiting.reduce(0) { $0 + $1.byteCount })
    let settings = session.settings
    json.field("weight", settings.weight)
    json.field("promisedHertz", settings.promisedHertz ?? 0)
    json.field("cappedHertz", settings.cappedHertz ?? 0)
    json.field("unseenHertz", settings.unseenHertz ?? 2)
    json.array("scanouts") { json in
      for head in session.heads { json.object { json in report(head, of: session, &json) } }
    }
  }

  private static func report(_ head: Surface, of session: ClientSession, _ json: inout JSONWriter) {
    let frame = head.tile.flatMap { $0.presenter.onScreen.entry(of: $0.id)?.frame }
    let (path, reason) = head.currentPath
    json.field("index", head.index)
    json.field("output", head.presenter?.name ?? "")
    json.field("width", frame?.source.width ?? 0)
    json.field("height", frame?.source.height ?? 0)
    json.field("format", frame?.buffer.buffer.layout.format.name ?? "")
    json.field("path", name(of: path))
    json.field("pathReason", reason)
    json.field("framesPresented", head.counters.presented.value)
    json.field("framesFlipped", head.counters.flipped.value)
    json.field("framesSuperseded", head.counters.superseded.value)
    json.field("framesRejected", head.counters.rejected.value)
    json.field("cpuCopies", head.counters.cpuCopies.value)
    json.field("copiedBytes", head.counters.copiedBytes.value)
    json.field("latchMedianNanoseconds", head.counters.latch.percentile(50))
    json.field("latchP99Nanoseconds", head.counters.latch.percentile(99))
    json.field("lastLatchNanoseconds", head.counters.lastLatchNanoseconds)
    let granted = head.tile.flatMap { $0.presenter.scheduler.statistics(of: $0.id) }
    json.field("grantedFrames", granted?.shown ?? 0)
    json.field("grantedBlitNanoseconds", granted?.blitNanoseconds ?? 0)
    json.field("missedPromises", granted?.missed ?? 0)
    json.field("buffers", head.buffers.count + (session.region(of: head)?.bufferCount ?? 0))
    json.field("generation", head.generation.wire)
    switch head.parking {
    case nil: json.field("parked", "")
    case .noneFree?: json.field("parked", "no output is free")
    case .unplugged(let output)?: json.field("parked", "\(output) is unplugged")
    }
  }

  static func name(of path: PresentPath) -> String {
    switch path {
    case .direct: "direct"
    case .copy: "copy"
    case .blit: "blit"
    }
  }
}
