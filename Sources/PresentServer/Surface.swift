import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A surface's frames, counted by their outcome, and the copies made for them.
struct FrameCounters {
  var presented: Counter = 0
  var flipped: Counter = 0
  var superseded: Counter = 0
  var rejected: Counter = 0
  /// How often a CPU has moved a frame, by the client's and the daemon's count.
  var cpuCopies: Counter = 0
  /// Bytes that a CPU has copied for frames.
  var copiedBytes: Counter = 0
  /// From the guest's hand-over to the commit, of frames that were committed.
  var latch = LatencyHistogram()
  /// CLOCK_MONOTONIC of the last frame's commit.
  var lastLatchNanoseconds: UInt64 = 0
}

/// What one scanout of a client shows: its buffers, its frames, and the output that it is on.
final class Surface {
  /// The client's number for it.
  let id: ScanoutID
  var index: Int { id.index }
  /// The client's name.
  let vmName: String
  let loop: EventLoop
  /// The client that hears of frames and outputs; always outlives the surface's use of it.
  unowned var owner: any SurfaceOwner
  /// How the host wants its VM to be treated.
  var settings: VMSettings
  /// The output that the client wants, or the host for it; empty for any.
  private(set) var wish: String
  /// Its place among all surfaces by the time when they came; 0 before that. For `Placement`.
  var arrival: UInt64 = 0
  private(set) var generation = Generation.none
  private(set) var tile: Tile?
  /// The output that it is on, or parked on.
  var presenter: Presenter? { tile?.presenter }
  /// Why the surface is on no real output; nil where it is on one.
  private(set) var parking: Parking?
  var buffers: [BufferID: ClientBuffer] = [:]
  var counters = FrameCounters()
  /// The last frames.
  var trace = FrameTrace()
  private var path = PresentPath.copy
  private var pathReason = ""
  private var lastError = ""
  /// Frames whose acquire fences are not signalled yet, the oldest first.
  var fenced: [FencedFrame] = []
  /// For the next PRESENT.
  var nextSync = FrameSync.none
  /// Names fenced frames.
  var lastFenceSerial: UInt64 = 0

  enum Parking: Equatable {
    /// Every output that would do is taken.
    case noneFree
    /// The output of that name was unplugged.
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

  /// Takes the host's wish for the client's.
  func wish(for output: String) { wish = output }

  /// Moves the surface: its buffers are gone, frames that wait are superseded.
  func move(to next: Presenter, parking: Parking?) {
    leave()
    self.parking = parking
    generation.advance()
    tile = next.attach(self)
    describe()
  }

  /// Lets go of the output.
  func leave() {
    forgetBuffers()
    let old = tile
    tile = nil
    if let old { old.presenter.detach(old) }
    owner.outputLost(of: self)
  }

  /// Has the client make its buffers again, because the rules for them have changed. The screen keeps its picture.
  func renewBuffers() {
    guard let tile else { return }
    forgetBuffers()
    tile.needsFullDamage = true
    generation.advance()
    describe()
  }

  private func forgetBuffers() {
    owner.buffersLost(of: self)
    for buffer in buffers.values { buffer.head = nil }
    buffers.removeAll(keepingCapacity: true)
    supersedeFenced()
  }

  /// Sends the output's description to the client.
  func describe() { if let description { owner.outputChanged(description, of: self) } }

  /// The output as the client sees it; nil where the surface is on none.
  var description: OutputDescription? {
    guard let tile else { return nil }
    let presenter = tile.presenter
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
      mode: presenter.mode(of: tile), widthMillimetres: info.widthMillimetres,
      heightMillimetres: info.heightMillimetres, cursorSize: info.cursorSize, memoryKind: info.memoryKind,
      name: name, edid: presenter.isTiled ? [] : info.edid)
  }

  // MARK: - Frames

  func setPath(_ path: PresentPath, reason: String) {
    self.path = path
    pathReason = reason
  }

  /// The path that frames take now, and why no better one.
  var currentPath: (path: PresentPath, reason: String) {
    if let presenter, presenter.isTiled {
      if let plane = tile?.plane.index { return (path, "overlay plane \(plane) of \(presenter.name)") }
      return (.blit, "\(presenter.name) is shared by \(presenter.tiles.count)")
    }
    if let reason = tile?.composeReason { return (.blit, reason) }
    return (path, pathReason)
  }

  /// The daemon has copied bytes of a frame.
  func countCopy(_ byteCount: UInt64) {
    if byteCount == 0 { return }
    counters.cpuCopies += 1
    counters.copiedBytes += byteCount
  }

  /// A new frame was committed just now.
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

  /// The output refused a frame. The same reason is sent and logged once in a row.
  func outputFailed(_ why: String) {
    if why == lastError { return }
    lastError = why
    log("scanout \(index): \(why)")
    owner.failed(why, of: self)
  }

  /// Logs a line under the client's name.
  func log(_ text: String) { owner.log(text) }
}
