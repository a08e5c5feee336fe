import CFramepathABI
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout
import Testing

/// A region with its host, its guest, and its raw bytes for faulty writes.
final class Pair {
  let host: RegionHost
  let guest: RegionGuest
  let raw: Mapping

  init(slotCount: Int = 3, width: Int = 64, height: Int = 16) throws {
    let layout = try #require(RegionLayout(fittingFrameBytes: width * height * 4, slotCount: slotCount))
    host = try RegionHost(name: "web", layout: layout)
    guest = try RegionGuest(
      Mapping(fd: host.fd.raw, byteCount: layout.regionByteCount), isWeaklyOrdered: true)
    raw = try Mapping(fd: host.fd.raw, byteCount: layout.regionByteCount)
  }

  func attach(_ flags: RegionGuestFlags = [.rings]) throws {
    guest.attach(flags)
    #expect(host.checkAttach() == .attached(flags))
    try #require(try guest.attachResult()?.get() != nil)
  }

  static let picture = FrameLayout(width: 64, height: 16, strideBytes: 256, format: .xrgb8888)

  func present(damage: Damage = .full) throws -> (slot: Int, frame: UInt64) {
    let slot = try #require(guest.acquire())
    let picture = try #require(Pair.picture)
    return (slot, try guest.present(slot, picture, damage: damage, readyNanoseconds: 5))
  }

  func take() throws -> RegionFrame {
    guard case .frame(let frame) = host.takeFrame() else { throw Missing() }
    return frame
  }

  struct Missing: Error {}

  func refusal() -> RegionReason? {
    if case .refused(let reason) = host.takeFrame() { reason } else { nil }
  }

  /// Writes a number over the region's bytes.
  func poke<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    unsafe raw.base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }

  func bytes(_ range: Range<Int>) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(rebasing: raw.bytes[range]))
  }
}
