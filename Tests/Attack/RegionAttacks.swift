import CLinux
import Glibc
import GraphicsMemory
import HybridRegion
import LinuxIO
import PresentProtocol
import Scanout

extension Attack {
  /// Regions: shared memory, and eventfds that the client keeps.
  static let regionAttacks = [
    // S3: a write to it would wait for as long as the client wants.
    Attack(name: "blocking-doorbell", what: "a region whose guest doorbell is a full, blocking eventfd") { stage in
      try stage.withClients {
        try HostileRegion(stage, isBlocking: true)
      } _: { region in
        try region.present()
        HostProcess.sleep(milliseconds: 2)
      }
    },
    Attack(name: "doorbells", what: "16 regions whose doorbell rings without end") { stage in
      let regions = try (0..<16).map { try HostileRegion(stage, name: "evil\($0)") }
      var count = 0
      while !stage.isOver {
        for region in regions { region.ring() }
        count += regions.count
      }
      return count
    },
    Attack(name: "region-bytes", what: "a region whose header and rings are overwritten while it is read") { stage in
      try stage.withClients {
        try HostileRegion(stage)
      } _: { region in
        for _ in 0..<64 { region.spoil(stage.number(below: 0x5000), UInt64(stage.number(below: Int.max))) }
        for _ in 0..<8 { region.spoil(stage.number(below: 0x5000), UInt64(stage.number(below: 20))) }
        region.ring()
        try region.client.receive(milliseconds: 0)
      }
    },
  ]
}

/// A client with a region, and the region's guest.
final class HostileRegion {
  let client: HostileClient
  private let mapping: Mapping
  private let guest: RegionGuest
  private let doorbell: EventFD
  private let guestDoorbell: OwnedFD

  /// - Parameters:
  ///   - isBlocking: the guest's doorbell is full and blocks.
  ///   - memory: the region's; nil for a memfd.
  init(_ stage: AttackStage, name: String = "evil", isBlocking: Bool = false, memory: SharedFD? = nil) throws {
    guard let layout = RegionLayout(regionByteCount: 4 << 20, slotCount: 3) else { throw Ended() }
    client = try HostileClient(stage, name)
    doorbell = try EventFD()
    let count: UInt32 = isBlocking ? UInt32.max - 1 : 0
    guestDoorbell = OwnedFD(taking: try check("eventfd") { eventfd(count, Int32(EFD_CLOEXEC)) })
    let file = try memory ?? SharedFD(layout.makeMemory())
    mapping = try Mapping(fd: file.raw, byteCount: layout.regionByteCount)
    if isBlocking {
      var rest = UInt64.max - 1 - UInt64(count)
      let raw = guestDoorbell.raw
      try check("write") { write(raw, &rest, 8) }
    }
    let message = AttachRegion(
      scanout: 0, regionByteCount: UInt64(layout.regionByteCount), slotCount: 3, sharesClock: true,
      hasGuestDoorbell: true)
    try client.insist(.region(message), [file.raw, doorbell.fd.raw, guestDoorbell.raw])
    // The daemon writes the header.
    let words = Mapping.Piece(fd: file.raw, offset: 0, byteCount: layout.regionByteCount)
    let deadline = monotonicNanoseconds() + 2_000_000_000
    while true {
      do {
        guest = try RegionGuest(Mapping(pieces: [words]), isWeaklyOrdered: true)
        break
      } catch {
        try client.receive(milliseconds: 5)
        if monotonicNanoseconds() > deadline { throw Ended() }
      }
    }
    guest.attach([.rings])
    doorbell.signal()
  }

  func ring() { doorbell.signal() }

  /// Presents a picture, if there is a free slot, and rings.
  func present() throws {
    try client.receive(milliseconds: 0)
    for _ in 0..<64 { if guest.nextEvent() == nil { break } }
    if let layout = FrameLayout(width: 640, height: 480, strideBytes: 2560, format: .xrgb8888),
      let slot = guest.acquire()
    {
      _ = try? guest.present(slot, layout, readyNanoseconds: 0)
    }
    doorbell.signal()
  }

  /// Overwrites eight bytes before the slots.
  func spoil(_ place: Int, _ value: UInt64) {
    mapping.base.storeBytes(of: value, toByteOffset: place & ~7, as: UInt64.self)
  }
}
