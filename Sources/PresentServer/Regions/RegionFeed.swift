import DaemonSettings
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// The connection that sent a region. It gets the events that a ring cannot express, and outlives its regions.
protocol RegionConnection: SurfaceOwner {
  /// Whether there are other clients.
  var isShared: Bool { get }

  /// Schedules `RegionFeed.endRound` at the end of this iteration of the loop.
  func willEndRound(_ region: RegionFeed)

  /// Wakes the client of a region without a guest doorbell.
  func sendRegionNews(of surface: Surface)

  /// A slot as a buffer of the surface's output.
  ///
  /// If the host counts imported memory, the slot's pages count from its first frame until its buffer has left the
  /// screen. A frame does not wait for memory: it is refused, and a later one in the slot tries again.
  func slotBuffer(
    _ range: MemoryRange, of memory: SharedFD, id: BufferID, layout: FrameLayout, surface: Surface
  ) throws(SlotRefusal) -> ClientBuffer
}

/// A client's eventfd that wakes its guest.
struct GuestDoorbell {
  let event: SharedFD
  let raiser: EventRaiser

  func ring() { raiser.raise(event.raw) }
}

/// A region whose frames a surface shows: the host's side, in the daemon itself.
///
/// Frames are read from the region's ring instead of messages, and flips and releases are reported in a ring. A slot is
/// imported once per layout, and the output reads its pages. Invalid entries affect only the guest's own frames.
final class RegionFeed {
  unowned let surface: Surface
  unowned let connection: any RegionConnection
  let service: RegionService
  var host: RegionHost { service.host }
  var slots: [SlotState]
  /// Slots whose frames wait for room in the presenter, the oldest first.
  var waiting: [Int] = []
  /// The number of unanswered frames in the presenter.
  var underWayCount = 0
  var lastFrame: UInt64 = 0
  /// Whether the last import of a slot failed; the surface's path has the reason.
  var hasRefused = false
  /// Bit k: slot k was refused for lack of memory, and is held for at most a second.
  var refusedSlots: UInt64 = 0
  /// The surface's generation of the last presented frame.
  var generation = Generation.none
  private let sharesClock: Bool
  private let hostDoorbell: OwnedFD
  private let guestDoorbell: GuestDoorbell?
  private var pace = MessagePace.frames
  private var refusalPace = MessagePace.refusals
  private var isStopped = false
  /// Whether `endRound` will be called.
  private var isMarked = false

  /// The state of a slot.
  struct SlotState {
    /// The presented frame; read only while the host holds the slot.
    var handedOver: RegionFrame?
    var buffer: ClientBuffer?
    var layout: FrameLayout?
    /// The feed's number for the frame while the host holds the slot.
    var frame: UInt64?
  }

  /// - Parameters:
  ///   - hostDoorbell: an eventfd, never read, because its owner could make a read block.
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

  /// Takes over the state of a former host, and checks the ring.
  func start() {
    if let frame = service.takeOver() { slots[frame.slot].handedOver = frame }
    generation = surface.generation
    beginAgain()
    if let output = surface.description { take(output) }
    service.look()
  }

  /// Whether memory of the region was missing when it was accessed.
  var isSpoilt: Bool { host.isSpoilt || slots.contains { $0.buffer?.buffer.isSpoilt == true } }

  /// Ends; another host may take over the region.
  func stop() {
    if isStopped { return }
    isStopped = true
    host.leave()
    service.stop()
  }

  /// Records that the output refused a frame. The guest could present its slot again at once, for ever; after some
  /// refusals the next frame is delayed.
  func holdBack() {
    guard !service.isHeld, let until = refusalPace.pause(at: monotonicNanoseconds()) else { return }
    service.hold(until: until)
  }

  /// The guest's timestamp if it is on this machine's clock and plausible.
  func readyNanoseconds(_ frame: RegionFrame) -> UInt64 {
    let now = monotonicNanoseconds()
    guard sharesClock, frame.readyNanoseconds <= now, now - frame.readyNanoseconds < 1_000_000_000 else { return now }
    return frame.readyNanoseconds
  }

  // MARK: - The end of an iteration

  /// Schedules `endRound`, because frames must not be presented within calls from the presenter.
  func mark() {
    if !isMarked { connection.willEndRound(self) }
    isMarked = true
  }

  /// Presents the frames that there is room for, and rings.
  func endRound() {
    // Checks for frames presented without a doorbell. If none is pending, the doorbell is requested again before, so
    // that one check serves both.
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
      guestDoorbell.ring()
    } else {
      connection.sendRegionNews(of: surface)
    }
  }

  /// Whether the end of a pending commit wakes the daemon before the next commit, so that a guest that draws ahead need
  /// not ring.
  ///
  /// False on a shared output, where frames may be copied or become due earlier.
  private var looksByItself: Bool {
    guard underWayCount > 0, let presenter = surface.presenter else { return false }
    return presenter.views.count == 1 && presenter.output.isCommitPending
  }

  private func adjustDoorbell(drewAhead: Bool) {
    if looksByItself {
      // A guest that waits for each flip presents while none is pending; a quiet doorbell would only add checks.
      if drewAhead || underWayCount > 1 || !waiting.isEmpty { host.silenceDoorbell() }
      return
    }
    if !host.isDoorbellQuiet { return }
    host.wantDoorbell()
    // Checks for frames presented before the guest could see the request; marks the region again if there are any.
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
