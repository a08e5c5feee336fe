public import GuestMemory
public import LinuxIO

/// A guest's memory for tests: one memfd, mapped here as the guest would see it, cut into regions for a backend.
///
/// Guest address 0 is the first byte; there is no hole.
public final class GuestRAM {
  /// The memfd.
  public let fd: SharedFD
  /// Length in bytes.
  public let byteCount: Int
  private let mapping: Mapping

  /// `byteCount` bytes of zeros in a sealed memfd.
  public convenience init(byteCount: Int) throws(SystemError) {
    try self.init(fd: SharedFD(try MemFD.create(name: "test-ram", byteCount: byteCount)), byteCount: byteCount)
  }

  /// Memory of another's making.
  public init(fd: SharedFD, byteCount: Int) throws(SystemError) {
    self.fd = fd
    self.byteCount = byteCount
    mapping = try Mapping(fd: fd.raw, byteCount: byteCount)
  }

  /// All bytes, as the guest sees them.
  public var bytes: UnsafeMutableRawBufferPointer { mapping.bytes }

  /// The frontend's address of guest address 0.
  public var userAddress: UInt64 { UInt64(UInt(bitPattern: mapping.base)) }

  /// Part of it as a region of a backend's table.
  public func region(from address: Int = 0, byteCount: Int? = nil) throws(GuestMemoryError) -> GuestRegion {
    try GuestRegion(
      guestAddress: UInt64(address), userAddress: userAddress + UInt64(address),
      byteCount: UInt64(byteCount ?? self.byteCount - address), fd: fd, fileOffset: UInt64(address))
  }

  /// A backend's table that holds all of it, in `regionCount` regions that follow each other.
  public func table(regionCount: Int = 1) throws(GuestMemoryError) -> GuestMemory {
    let memory = GuestMemory()
    let step = byteCount / regionCount
    var regions: [GuestRegion] = []
    for index in 0..<regionCount {
      let start = index * step
      regions.append(try region(from: start, byteCount: index == regionCount - 1 ? byteCount - start : step))
    }
    try memory.replaceRegions(regions)
    return memory
  }
}
