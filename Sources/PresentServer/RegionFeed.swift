import DaemonSettings
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// The connection through which a region came. It gets all that a region has no words for, and outlives its regions.
protocol RegionConnection: SurfaceOwner {
  /// Whether others wait while one client is served.
  var isShared: Bool { get }

  /// Has `RegionFeed.endRound` called at the end of this round of the loop.
  func willEndRound(_ region: RegionFeed)

  /// Wakes the client of a region that has no doorbell.
  func sendRegionNews(of surface: Surface)

  /// A slot as a buffer of the surface's output.
  ///
  /// Where the host counts imported memory, the slot's pages count from its first frame on, until its buffer has left
  /// the screen. A frame does not wait for memory: it is refused, and a later one in that slot asks again.
  func slotBuffer(
    _ range: MemoryRange, of memory: SharedFD, id: BufferID, layout: FrameLayout, surface: Surface
  ) throws(SlotRefusal) -> ClientBuffer
}

/// An eventfd that the daemon raises. It must be of a trusted process: its holder can make a write wait.
final class GuestDoorbell {
  let event: EventFD

  init(_ event: consuming EventFD) { self.event = event }
}

/// A region whose frames a surface shows: the host's side, in the daemon itself.
///
/// Frames come out of the region's ring, not from messages; flips and releases go back the same way. A slot is imported
/// once per layout; its pages are what the output reads. Whatever the guest writes costs its own frames only.
final class RegionFeed {
  unowned let surface: Surface
  unowned let connection: any RegionConnection
  let service: RegionService
  var host: RegionHost { service.host }
  var slots: [SlotState]
  /// Slots whose frames wait for room on the output, the oldest first.
  var waiting: [Int] = []
  /// Frames that the presenter has and has not answered.
  var underWayCount = 0
  var lastFrame: UInt64 = 0
  /// Whether the last slot that was to become a buffer could not; the surface's path says why.
  var hasRefused = false
  /// Bit k: slot k was refused for want of memory, and is kept for a second at most.
  var refusedSlots: UInt64 = 0
  /// The surface's generation that frames were last presented in.
  var generation = Generation.none
  private let sharesClock: Bool
  private let hostDoorbell: OwnedFD
  private let guestDoorbell: GuestDoorbell?
  private var pace = MessagePace.frames
  private var refusalPace = MessagePace.refusals
  private var isStopped = false
  /// Whether `endRound` will be called.
  private var isMarked = false

  /// What is known of a slot.
  struct SlotState {
    /// What the guest has handed over in it; read while the slot is the host's only.
    var handedOver: RegionFrame?
    var buffer: ClientBuffer?
    var layout: FrameLayout?
    /// The feed's number for the frame while the slot is the host's; 0: none.
    var frame: UInt64 = 0
  }

  /// - Parameters:
  ///   - hostDoorbell: an eventfd, never read: its owner could make that wait.
  ///   - guestDoorbell: nil: the client is woken by messages.
  init(
    _ host: RegionHost, surface: Surface, connection: any RegionConnection, sharesClock: Bool,
    hostDoorbell: consuming OwnedFD, guestDoorbell: GuestDoorbell?
  ) throws(SystemError) {
    self.surface = surface
    self.connection = connection
    self.sharesClock = sharesClock
    self.hostDoorbell = hostDoorbell
    self.guestDoorbell = guestDoorbell
    service = try RegionService(host, loop: surface.loop)
    slots = Array(repeating: SlotState(), count: host.layout.slotCount)
    waiting.reserveCapacity(host.layout.slotCount)
    try service.start(doorbell: self.hostDoorbell.raw, delegate: self)
  }

  deinit { stop() }

  /// Takes over what a former host has left, and looks.
  func start() {
    if let frame = service.takeOver() { slots[frame.slot].handedOver = frame }
    generation = surface.generation
    beginAgain()
    if let output = surface.description { take(output) }
    service.look()
  }

  /// Ends; another host may take the region over.
  func stop() {
    if isStopped { return }
    isStopped = true
    host.leave()
    service.stop()
  }

  /// The output has refused a frame. Its slot is back in the guest's hands at once, and could come again at once, for
  /// ever: after some of these, the next frame waits.
  func holdBack() {
    guard !service.isHeld, let until = refusalPace.pause(at: monotonicNanoseconds()) else { return }
    service.hold(until: until)
  }

  /// The guest's own time where it is of this machine's clock, and can be true.
  func readyNanoseconds(_ frame: RegionFrame) -> UInt64 {
    let now = monotonicNanoseconds()
    guard sharesClock, frame.readyNanoseconds <= now, now - frame.readyNanoseconds < 1_000_000_000 else { return now }
    return frame.readyNanoseconds
  }

  // MARK: - The end of a round

  /// Has `endRound` called, as frames must not be presented from within the presenter's calls.
  func mark() {
    if !isMarked { connection.willEndRound(self) }
    isMarked = true
  }

  /// Presents the frames that there is room for, and rings.
  func endRound() {
    // Frames that came without a doorbell. Where none is under way it is wanted again, and one look serves both.
    let wasQuiet = host.isDoorbellQuiet
    if wasQuiet, !isStopped {
      if underWayCount == 0 { host.wantDoorbell() }
      service.look()
    }
    isMarked = false
    if isStopped { return }
    presentWaiting()
    adjustDoorbell(drewAhead: wasQuiet)
    guard service.takeRing() else { return }
    if let guestDoorbell {
      guestDoorbell.event.signal()
    } else {
      connection.sendRegionNews(of: surface)
    }
  }

  /// A guest that draws ahead need not ring while the end of a commit will wake the daemon before it could make another
  /// one anyway.
  ///
  /// On an output with others their frames may be copied, or may fall due, before that.
  private var looksByItself: Bool {
    guard underWayCount > 0, let presenter = surface.presenter else { return false }
    return presenter.tiles.count == 1 && presenter.output.isCommitPending
  }

  private func adjustDoorbell(drewAhead: Bool) {
    if looksByItself {
      // One that waits for each flip presents while none is under way: it would only cost both sides one more look.
      if drewAhead || underWayCount > 1 || !waiting.isEmpty { host.silenceDoorbell() }
      return
    }
    if !host.isDoorbellQuiet { return }
    host.wantDoorbell()
    // For frames that came before the guest could know; it marks the region again where it finds some.
    service.look()
  }
}

extension RegionFeed: RegionServiceDelegate {
  func logRegion(_ text: String) { connection.log("scanout \(surface.index): \(text)") }

  func regionAttached() { dropWaiting() }

  func regionDetached() {
    dropWaiting()
    surface.blank()
  }

  func regionPresented(_ frame: RegionFrame, former: Int?) {
    slots[frame.slot].handedOver = frame
    waiting.append(frame.slot)
    mark()
  }

  func ringIsDue() { mark() }

  func pauseBeforeLook(at now: UInt64) -> UInt64? { connection.isShared ? pace.pause(at: now) : nil }

  func pauseAfterRefusal(at now: UInt64) -> UInt64? { refusalPace.pause(at: now) }

  func holdEnded() { mark() }

  func secondPassed() { giveBackRefused() }

  func regionFailed(_ error: SystemError) { connection.drop("\(error)") }
}
