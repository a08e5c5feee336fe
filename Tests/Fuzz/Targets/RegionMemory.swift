import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout

/// A region whose memory the other side overwrites: both sides lose frames only.
enum RegionMemory {
  private static let controlByteCount = 0x5000

  static func run(_ input: inout FuzzInput) throws {
    guard let layout = RegionLayout(fittingFrameBytes: 64 * 16 * 4, slotCount: 3),
      let picture = FrameLayout(width: 64, height: 16, strideBytes: 256, format: .xrgb8888)
    else { return check(false, "the test's own layout") }
    let host = try RegionHost(name: "web", layout: layout)
    let guest = try RegionGuest(mapping(host), isWeaklyOrdered: true)
    let raw = try mapping(host)
    while !input.isEmpty {
      switch input.byte() % 16 {
      case 0...3: store(input.number(UInt32.self), input.number(UInt16.self), raw)
      case 4: store(input.number(UInt64.self), input.number(UInt16.self), raw)
      case 5: guest.attach(input.byte() % 2 == 0 ? [] : [.rings])
      case 6: _ = guest.attachResult()
      case 7: _ = host.checkAttach()
      case 8: _ = host.takeFrames { take($0, host) }
      case 9:
        if let slot = guest.acquire() { _ = try? guest.present(slot, picture, readyNanoseconds: 0) }
      case 10: for _ in 0..<64 { if guest.nextEvent() == nil { break } }
      case 11: _ = host.repair()
      case 12: input.byte() % 2 == 0 ? host.silenceDoorbell() : host.wantDoorbell()
      case 13:
        host.setOutput(RegionOutput(width: 640, height: 480, refreshMillihertz: 60_000))
        _ = (guest.output, guest.state, guest.wantsDoorbell(), guest.refusalCount)
      case 14: for held in host.takeHeldFrames() { check(held.slot < 3, "slot \(held.slot) of 3") }
      default: _ = try? RegionGuest(mapping(host), isWeaklyOrdered: false)
      }
    }
    // The same region serves the next client.
    _ = host.repair()
    let next = try RegionGuest(mapping(host), isWeaklyOrdered: true)
    next.attach([.rings])
    check(host.checkAttach() == .attached([.rings]), "the next client is not attached")
    check(next.attachResult() != nil, "the next client gets no answer")
    guard let slot = next.acquire() else { return check(false, "the next client has no slot") }
    _ = try next.present(slot, picture, readyNanoseconds: 0)
    var frames = 0
    _ = host.takeFrames { if case .frame = $0 { frames += 1 } }
    check(frames == 1, "the next client's frame is not taken")
  }

  private static func mapping(_ host: RegionHost) throws -> Mapping {
    try Mapping(fd: host.fd.raw, byteCount: host.layout.regionByteCount)
  }

  private static func store<Number: FixedWidthInteger>(_ value: Number, _ place: UInt16, _ raw: borrowing Mapping) {
    let offset = Int(place) % controlByteCount & ~7
    unsafe raw.base.storeBytes(of: value, toByteOffset: offset, as: Number.self)
  }

  private static func take(_ take: RegionTake, _ host: RegionHost) {
    guard case .frame(let frame) = take else { return }
    check(frame.slot < 3 && frame.layout.byteCount <= host.layout.slotByteCount, "a frame outside of its slot")
    host.done(frame.slot, .flipped)
    host.release(frame.slot)
  }
}
