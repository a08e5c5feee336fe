import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A surface's frames by outcome, and the copies made for them.
struct FrameCounters {
  var presented: Counter = 0
  var flipped: Counter = 0
  var superseded: Counter = 0
  var rejected: Counter = 0
  /// Copies of frames by a CPU, in the client and in the daemon.
  var cpuCopies: Counter = 0
  /// Bytes of these copies.
  var copiedBytes: Counter = 0
  /// The time from the guest's present to the commit, for committed frames.
  var latch = LatencyHistogram()
  /// CLOCK_MONOTONIC of the last frame's commit.
  var lastLatchNanoseconds: UInt64 = 0
}

/// One scanout of a client: its buffers, its frames and its output.
final class Surface {
  /// The scanout's number in the protocol.
  let id: ScanoutID
  var index: Int { id.index }
  let vmName: String
  let loop: EventLoop
  /// Receives events about frames and outputs; outlives the surface's use of it.
  unowned var owner: any SurfaceOwner
  /// The host's settings for the VM.
  var settings: VMSettings
  /// The output requested by the client or set by the host; empty for any.
  private(set) var wish: String
  /// The surface's position in order of arrival, for `Placement`; 0 before it is placed.
  var arrival: UInt64 = 0
  private(set) var generation = Generation.none
  private(set) var view: SurfaceView?
  /// The presenter of its output, including an off-screen one while it is parked.
  var presenter: Presenter? { view?.presenter }
  /// Why the surface is parked; nil if it is on a real output.
  private(set) var parking: Parking?
  var buffers: [BufferID: ClientBuffer] = [:]
  var counters = FrameCounters()
  var trace = FrameTrace()
  private var path = PresentPath.copy
  private var pathReason = ""
  private var lastError = ""
  /// Frames that wait for their acquire fences, oldest first.
  var fenced: [FencedFrame] = []
  /// Applies to the next PRESENT.
  var nextSync = FrameSync.none
  /// The serial number of the last fenced frame.
  var lastFenceSerial: UInt64 = 0

  enum Parking: Equatable {
    /// No suitable output is free.
    case noneFree
    /// The named output was unplugged.
    case unplugged(String)
  }

  init(id: ScanoutID, vmName: String, wish: String, settings: VMSettings, owner: any SurfaceOwner, loop: EventLoop) {
    self.id = id
    self.vmName = vmName
    self.wish = wish
    self.settings = settings
    self.owner = owner
    self.loop = loop
    buffers.reserveCapacity(16)
  }

  // MARK: - Outputs

  /// Replaces the client's requested output by the host's setting.
  func wish(for output: String) { wish = output }

  /// Moves the surface to another output: its buffers are dropped and waiting frames superseded.
  func move(to next: Presenter, parking: Parking?) {
    leave()
    self.parking = parking
    generation.advance()
    view = next.attach(self)
    describe()
  }

  /// Leaves the output.
  func leave() {
    forgetBuffers()
    let old = view
    view = nil
    if let old { old.presenter.detach(old) }
    owner.outputLost(of: self)
  }

  /// Makes the client recreate its buffers because the rules for them have changed. The screen content stays.
  func renewBuffers() {
    guard let view else { return }
    forgetBuffers()
    view.needsFullDamage = true
    generation.advance()
    describe()
  }

  private func forgetBuffers() {
    owner.buffersLost(of: self)
    for buffer in buffers.values { buffer.surface = nil }
    buffers.removeAll(keepingCapacity: true)
    supersedeFenced()
  }

  /// Sends the output's description to the client.
  func describe() { if let description { owner.outputChanged(description, of: self) } }

  /// The output as described to the client; nil if the surface has none.
  var description: OutputDescription? {
    guard let view else { return nil }
    let presenter = view.presenter
    let info = presenter.output.info
    let name: String
    let isConnected: Bool
    if case .unplugged(let former)? = parking {
      (name, isConnected) = (former, false)
    } else {
      (name, isConnected) = (presenter.name, info.connected)
    }
    return OutputDescription(
      scanout: id.wire, generation: generation.wire, connected: isConnected, parked: parking == .noneFree,
      mode: presenter.mode(of: view), widthMillimetres: info.widthMillimetres,
      heightMillimetres: info.heightMillimetres, cursorSize: info.cursorSize, memoryKind: info.memoryKind,
      name: name, edid: presenter.isTiled ? [] : info.edid)
  }

  // MARK: - Frames

  func setPath(_ path: PresentPath, reason: String) {
    self.path = path
    pathReason = reason
  }

  /// The current path of frames, and why a better one is unavailable.
  var currentPath: (path: PresentPath, reason: String) {
    if let presenter, presenter.isTiled {
      if let plane = view?.plane.index { return (path, "overlay plane \(plane) of \(presenter.name)") }
      return (.blit, "\(presenter.name) is shared by \(presenter.views.count) scanouts")
    }
    if let reason = view?.composeReason { return (.blit, reason) }
    return (path, pathReason)
  }

  /// Counts a copy made by the daemon.
  func countCopy(_ byteCount: UInt64) {
    if byteCount == 0 { return }
    counters.cpuCopies += 1
    counters.copiedBytes += byteCount
  }

  /// Records that a frame was committed.
  func frameLatched(_ frame: UInt64, readyNanoseconds: UInt64?) {
    let now = monotonicNanoseconds()
    trace.update(frame) { $0.latchedNanoseconds = now }
    counters.lastLatchNanoseconds = now
    if let readyNanoseconds { counters.latch.add(now > readyNanoseconds ? now - readyNanoseconds : 0) }
    owner.frameLatched(of: self)
  }

  func frameDone(_ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    switch outcome {
    case .flipped: counters.flipped += 1
    case .superseded: counters.superseded += 1
    case .rejected: counters.rejected += 1
    }
    trace.update(frame) {
      $0.outcome = outcome
      if outcome == .flipped { $0.flippedNanoseconds = timeNanoseconds }
    }
    owner.frameDone(frame, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence, of: self)
  }

  func release(_ buffer: ClientBuffer) {
    if buffer.usage == .frame {
      let now = monotonicNanoseconds()
      trace.update(buffer.lastFrame) { $0.releasedNanoseconds = now }
    }
    owner.released(buffer, of: self)
  }

  /// Logs and reports that the output refused a frame. Repetitions of the same reason are suppressed.
  func outputFailed(_ why: String) {
    if why == lastError { return }
    lastError = why
    log("scanout \(index): \(why)")
    owner.failed(why, of: self)
  }

  /// Logs a line under the client's name.
  func log(_ text: String) { owner.log(text) }
}
