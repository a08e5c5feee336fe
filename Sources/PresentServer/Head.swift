import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// Where a presenter tells what became of its frames.
struct FrameCounters {
  var presented: UInt64 = 0
  var flipped: UInt64 = 0
  var superseded: UInt64 = 0
  var rejected: UInt64 = 0
  /// How often a CPU has moved a frame, by the client's and the daemon's count.
  var cpuCopies: UInt64 = 0
  /// Bytes that a CPU has copied for frames.
  var copiedBytes: UInt64 = 0
  /// From the guest's handing over to the commit, of frames that were committed.
  var latch = LatencyHistogram()
  /// CLOCK_MONOTONIC of the last frame's commit.
  var lastLatchNanoseconds: UInt64 = 0
}

/// One scanout of a client: its buffers, and the output that it is on.
final class Head {
  let index: Int
  /// The output that the client wants, or the host for it; empty for any.
  private(set) var wish: String
  unowned let session: ClientSession
  private(set) var generation: UInt32 = 0
  private(set) var tile: Tile?
  /// The output that it is on, or parked on.
  var presenter: Presenter? { tile?.presenter }
  /// The client's name.
  var vmName: String { session.hello?.name ?? "" }
  /// Why the scanout is on no real output; nil where it is on one.
  private(set) var parking: Parking?
  var buffers: [UInt32: ClientBuffer] = [:]
  var counters = FrameCounters()
  /// The last frames.
  var trace = FrameTrace()
  private var path = PresentPath.copy
  private var pathReason = ""
  private var lastError = ""
  /// Frames whose acquire fences are not signalled yet, the oldest first.
  var fenced: [FencedFrame] = []
  /// The region that its frames come from; nil while they come by messages.
  private(set) var feed: RegionFeed?
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

  init(index: Int, wish: String, session: ClientSession) {
    self.index = index
    self.wish = wish
    self.session = session
    buffers.reserveCapacity(16)
  }

  // MARK: - Outputs

  /// Takes the host's wish for the client's.
  func wish(for output: String) { wish = output }

  /// Moves the scanout: its buffers are gone, frames that wait are superseded.
  func move(to next: Presenter, parking: Parking?) {
    leave()
    self.parking = parking
    generation += 1
    tile = next.attach(self, session.settings)
    describe()
    feed?.beginAgain()
  }

  /// Takes frames from a region.
  func takeFrames(from feed: RegionFeed) {
    self.feed = feed
    setPath(.direct, reason: "")
    feed.start()
  }

  /// The client goes; another host may take its region over.
  func endFeed() {
    feed?.stop()
    feed?.forgetBuffers()
    feed = nil
  }

  /// Whether it waits for its output to be plugged in again.
  var isUnplugged: Bool { if case .unplugged? = parking { true } else { false } }

  /// Lets go of the output.
  func leave() {
    forgetBuffers()
    feed?.forgetBuffers()
    let old = tile
    tile = nil
    if let old { old.presenter.detach(old) }
    feed?.outputLost()
  }

  /// Has the client make its buffers anew: what it may have of them has changed. What is on screen stays there.
  func renewBuffers() {
    guard let tile, feed == nil else { return }
    forgetBuffers()
    tile.needsFullDamage = true
    generation += 1
    describe()
  }

  /// What the client has, asks for and waits with is of a generation that is over.
  private func forgetBuffers() {
    session.withdrawRequests(of: index)
    for buffer in buffers.values { buffer.head = nil }
    buffers.removeAll(keepingCapacity: true)
    supersedeFenced()
  }

  /// Sends the output's description.
  func describe() {
    guard let tile else { return }
    let presenter = tile.presenter
    let info = presenter.output.info
    let name: String
    let isConnected: Bool
    if case .unplugged(let former)? = parking {
      (name, isConnected) = (former, false)
    } else {
      (name, isConnected) = (presenter.name, info.connected)
    }
    session.send(
      .output(
        OutputDescription(
          scanout: UInt32(index), generation: generation, connected: isConnected, parked: parking == .noneFree,
          mode: presenter.mode(of: tile), widthMillimetres: info.widthMillimetres,
          heightMillimetres: info.heightMillimetres, cursorSize: info.cursorSize, memoryKind: info.memoryKind,
          name: name, edid: presenter.isTiled ? [] : info.edid)))
    feed?.outputChanged()
  }

  // MARK: - Frames

  func setPath(_ path: PresentPath, reason: String) {
    self.path = path
    pathReason = reason
  }

  /// The path that frames take now, and why no better one.
  var currentPath: (path: PresentPath, reason: String) {
    if let presenter, presenter.isTiled {
      if let plane = tile?.plane { return (path, "overlay plane \(plane) of \(presenter.name)") }
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
  func frameLatched(_ frame: UInt64, readyNanoseconds: UInt64) {
    let now = monotonicNanoseconds()
    trace.update(frame) { $0.latchedNanoseconds = now }
    counters.lastLatchNanoseconds = now
    if readyNanoseconds != 0 { counters.latch.add(now > readyNanoseconds ? now - readyNanoseconds : 0) }
    feed?.frameLatched()
  }

  func frameDone(_ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0) {
    switch outcome {
    case .flipped: counters.flipped += 1
    case .superseded: counters.superseded += 1
    case .rejected: counters.rejected += 1
    }
    trace.update(frame) {
      $0.outcome = outcome
      $0.flippedNanoseconds = timeNanoseconds
    }
    if let feed {
      return feed.frameDone(frame, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence)
    }
    session.send(
      .frameDone(
        FrameDone(
          scanout: UInt32(index), frame: frame, outcome: outcome, timeNanoseconds: timeNanoseconds, sequence: sequence))
    )
  }

  func release(_ buffer: ClientBuffer) {
    if buffer.usage == .frame {
      let now = monotonicNanoseconds()
      trace.update(buffer.lastFrame) { $0.releasedNanoseconds = now }
    }
    if let feed, buffer.usage == .frame { return feed.released(buffer) }
    session.send(
      .released(
        Released(
          bufferID: buffer.id, scanout: UInt32(index), frame: buffer.usage == .cursor ? 0 : buffer.lastFrame)))
  }

  /// The output refused a frame. The same words are told and logged once in a row.
  func outputFailed(_ why: String) {
    if why == lastError { return }
    lastError = why
    session.log("scanout \(index): \(why)")
    session.send(.error(ErrorMessage(code: .output, scanout: UInt32(index), text: why), request: 0))
  }
}
