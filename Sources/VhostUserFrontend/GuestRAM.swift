import Glibc
public import GuestMemory
public import LinuxIO

/// A guest's memory in a frontend: one memfd, mapped in the guest's layout, and split into regions for a backend.
///
/// Guest address 0 is the first byte; there are no holes.
public final class GuestRAM {
  /// The memfd.
  public let fd: SharedFD
  /// Length in bytes.
  public let byteCount: Int
  private let mapping: Mapping
  private var allocated = 0

  /// `byteCount` bytes of zeros in a sealed memfd.
  public convenience init(byteCount: Int) throws(SystemError) {
    try self.init(fd: SharedFD(try MemFD.create(name: "guest-ram", byteCount: byteCount)), byteCount: byteCount)
  }

  /// Existing memory.
  public init(fd: SharedFD, byteCount: Int) throws(SystemError) {
    self.fd = fd
    self.byteCount = byteCount
    mapping = try Mapping(fd: fd.raw, byteCount: byteCount)
  }

  /// All bytes in the guest's layout.
  public var bytes: UnsafeMutableRawBufferPointer { unsafe mapping.bytes }

  /// The frontend's address of guest address 0.
  public var userAddress: UInt64 { unsafe UInt64(UInt(bitPattern: mapping.base)) }

  /// A part of it as a region of a backend's table.
  public func region(from address: Int = 0, byteCount: Int? = nil) throws(GuestMemoryError) -> GuestRegion {
    try GuestRegion(
      guestAddress: UInt64(address), userAddress: userAddress + UInt64(address),
      byteCount: UInt64(byteCount ?? self.byteCount - address), fd: fd, fileOffset: UInt64(address))
  }

  /// A backend's table with all of it, in `regionCount` adjacent regions.
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

  // MARK: What a guest does with its memory

  /// Allocates memory; it is never freed. Exceeding the memory is a bug of the caller.
  ///
  /// - Parameter alignment: bytes, a power of two.
  public func allocate(_ byteCount: Int, alignment: Int = 64) -> UInt64 {
    let start = (allocated + alignment - 1) & ~(alignment - 1)
    precondition(start + byteCount <= self.byteCount, "the guest has \(self.byteCount) bytes of memory")
    allocated = start + byteCount
    return UInt64(start)
  }

  /// Writes `bytes` at a guest address.
  public func write(_ bytes: [UInt8], at address: UInt64) {
    unsafe bytes.withUnsafeBytes { source in
      guard let first = source.baseAddress else { return }
      unsafe (mapping.base + Int(address)).copyMemory(from: first, byteCount: source.count)
    }
  }

  /// The bytes at a guest address.
  public func read(_ address: UInt64, _ byteCount: Int) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: mapping.base + Int(address), count: byteCount))
  }

  /// Fills memory with one byte.
  public func fill(_ address: UInt64, _ byteCount: Int, with byte: UInt8 = 0) {
    _ = unsafe memset(mapping.base + Int(address), Int32(byte), byteCount)
  }

  /// Fills `count` pixels with one value, four bytes in little-endian order.
  public func fill(_ address: UInt64, _ count: Int, pixels pixel: UInt32) {
    let start = unsafe mapping.base + Int(address)
    unsafe start.storeBytes(of: pixel.littleEndian, as: UInt32.self)
    var done = 4
    while done < count * 4 {
      let next = min(done, count * 4 - done)
      unsafe (start + done).copyMemory(from: start, byteCount: next)
      done += next
    }
  }

  /// The shared 16-bit number at a guest address.
  public func index(_ address: UInt64) -> SharedIndex { unsafe SharedIndex(mapping.base + Int(address)) }

  /// Writes the `virtq_desc` at `index` of a table.
  public func setDescriptor(
    _ table: UInt64, _ index: Int, address: UInt64, byteCount: UInt32, flags: UInt16, next: UInt16
  ) {
    let entry = unsafe mapping.base + Int(table) + 16 * index
    unsafe entry.storeBytes(of: address.littleEndian, as: UInt64.self)
    unsafe entry.storeBytes(of: byteCount.littleEndian, toByteOffset: 8, as: UInt32.self)
    unsafe entry.storeBytes(of: flags.littleEndian, toByteOffset: 12, as: UInt16.self)
    unsafe entry.storeBytes(of: next.littleEndian, toByteOffset: 14, as: UInt16.self)
  }
}
