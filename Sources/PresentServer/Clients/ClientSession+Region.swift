import DaemonSettings
import HybridRegion
import LinuxIO
import PresentProtocol

extension ClientSession {
  /// The region that a surface takes its frames from; nil if frames arrive as messages.
  func region(of surface: Surface) -> RegionFeed? { regions[surface.id] }

  /// Makes a surface take its frames from a region.
  func begin(_ region: RegionFeed, on surface: Surface) {
    regions[surface.id] = region
    surface.owner = region
    surface.setPath(.direct, reason: "")
    region.start()
  }

  /// Stops serving a surface's region, so that another host can attach to it.
  func endRegion(of surface: Surface) {
    guard let region = regions.removeValue(forKey: surface.id) else { return }
    region.stop()
    region.forgetBuffers()
    surface.owner = self
  }

  /// Handles REGION: the scanout's frames come from the client's region.
  func attachRegion(_ region: AttachRegion, _ fds: inout ReceivedFDs) {
    guard let surface = surface(ScanoutID(wire: region.scanout)) else { return }
    guard self.region(of: surface) == nil else {
      return fail(.malformed, "scanout \(region.scanout) already has a region")
    }
    guard let memory = fds.take(0), var doorbell = fds.take(1) else {
      return fail(.malformed, "REGION without memory or doorbell descriptor")
    }
    guard doorbell.identify() == .eventFD else {
      return refuse(.refused, "the region's doorbell is not an eventfd", .none, about: surface.id)
    }
    guard let bytes = Int(exactly: region.regionByteCount), let slotCount = Int(exactly: region.slotCount),
      let layout = RegionLayout(regionByteCount: bytes, slotCount: slotCount)
    else {
      let (slots, bytes) = (region.slotCount, region.regionByteCount)
      let why = "invalid region: \(slots) slots in \(bytes) bytes; the size must be a power of two"
      return refuse(.refused, why, .none, about: surface.id)
    }
    var guestDoorbell: GuestDoorbell?
    if region.hasGuestDoorbell {
      guard var given = fds.take(2), given.identify() == .eventFD else {
        return refuse(.refused, "the guest's doorbell is not an eventfd", .none, about: surface.id)
      }
      // Its other owners could make a write to it block.
      if let raiser = server.raiser { guestDoorbell = GuestDoorbell(event: SharedFD(given), raiser: raiser) }
    }
    do throws(SystemError) {
      let host = try RegionHost(
        memory: SharedFD(memory), name: hello?.name ?? "", layout: layout, sharesClock: region.sharesClock)
      let feed = try RegionFeed(
        host, surface: surface, connection: self, sharesClock: region.sharesClock, hostDoorbell: doorbell,
        guestDoorbell: guestDoorbell)
      begin(feed, on: surface)
      // A client without a doorbell waits for this message.
      if guestDoorbell == nil { send(.regionNews(scanout: region.scanout)) }
    } catch {
      refuse(.refused, error.description, .none, about: surface.id)
    }
  }
}
