public import GraphicsMemory
import LinuxIO

/// The guest's memory as mapped by this process: a table from guest addresses to mapped files.
///
/// Addresses and lengths may come from a guest: one outside the table, or one that overflows, gives nil or false. The
/// guest may write the bytes at any time: copy headers before parsing them, and read ring indices through
/// `SharedIndex`. Owned by one thread. Lookups do not allocate.
@safe public final class GuestMemory {
  /// The most regions of a table.
  public static let maxRegionCount = 256

  /// Rises whenever the table changes: pointers from before are invalid, and addresses must be resolved again.
  public private(set) var generation: UInt64 = 0

  /// The regions, sorted by guest address.
  public private(set) var regions: [GuestRegion] = []

  /// The fields of a region for lookups, without reference counts.
  @unsafe private struct Window {
    let guestAddress: UInt64
    let userAddress: UInt64
    let byteCount: UInt64
    let base: UnsafeMutableRawPointer
  }
  private var windows: [Window] = unsafe []

  /// An empty table.
  public init() {}

  /// Replaces the table (SET_MEM_TABLE).
  public func replaceRegions(_ regions: [GuestRegion]) throws(GuestMemoryError) {
    guard regions.count <= GuestMemory.maxRegionCount else { throw .tooManyRegions(regions.count) }
    let sorted = regions.sorted { $0.guestAddress < $1.guestAddress }
    for (lower, upper) in zip(sorted, sorted.dropFirst())
    where upper.guestAddress - lower.guestAddress < UInt64(lower.byteCount) {
      throw .regionsOverlap(guestAddress: upper.guestAddress, otherGuestAddress: lower.guestAddress)
    }
    install(sorted)
  }

  /// Adds a region (ADD_MEM_REG).
  public func addRegion(_ region: GuestRegion) throws(GuestMemoryError) {
    try replaceRegions(regions + [region])
  }

  /// Removes the region with exactly these values (REM_MEM_REG).
  public func removeRegion(guestAddress: UInt64, userAddress: UInt64, byteCount: UInt64) throws(GuestMemoryError) {
    let index = regions.firstIndex {
      $0.guestAddress == guestAddress && $0.userAddress == userAddress && UInt64($0.byteCount) == byteCount
    }
    guard let index else { throw .noSuchRegion(guestAddress: guestAddress, byteCount: byteCount) }
    var rest = regions
    rest.remove(at: index)
    install(rest)
  }

  /// The guest address at which memory was missing when this process accessed it; nil if none was.
  public var faultAddress: UInt64? {
    for region in regions { if let address = region.faultAddress { return address } }
    return nil
  }

  /// Maps the regions anew whose memory was missing: it may be there again.
  public func mapFaultyRegionsAgain() throws(GuestMemoryError) {
    var renewed = regions
    for index in renewed.indices where renewed[index].faultAddress != nil {
      renewed[index] = try renewed[index].mappedAgain()
    }
    install(renewed)
  }

  /// A pointer to `byteCount` bytes at guest address `address`, or nil unless one region contains all of them.
  ///
  /// The pointer is valid until `generation` changes. Nil for a byte count of 0.
  public func contiguous(_ address: UInt64, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount > 0, let window = unsafe window(of: address) else { return nil }
    let offset = unsafe address - window.guestAddress
    // SAFETY: `offset` is inside the window, and so are the bytes after it.
    guard unsafe UInt64(byteCount) <= window.byteCount - offset else { return nil }
    return unsafe window.base + Int(offset)
  }

  /// Calls `body` for each contiguous piece of the `byteCount` bytes at `address`, in order.
  ///
  /// The bytes may cross from one region into the next.
  /// - Returns: false, without any call, if a byte is outside the table; true for a byte count of 0.
  public func forEachPiece(
    _ address: UInt64, _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) -> Bool {
    if let pointer = unsafe contiguous(address, byteCount) {
      unsafe body(UnsafeMutableRawBufferPointer(start: pointer, count: byteCount))
      return true
    }
    guard byteCount >= 0 else { return false }
    return unsafe walk(address, byteCount) { _ in } && walk(address, byteCount, body)
  }

  /// Whether all of the `byteCount` bytes at `address` are guest memory.
  public func contains(_ address: UInt64, _ byteCount: Int) -> Bool {
    byteCount >= 0 && (unsafe walk(address, byteCount) { _ in })
  }

  /// Copies guest bytes from `address` on to fill `buffer`.
  ///
  /// - Returns: false, with nothing copied, if a byte is outside the table.
  public func copyIn(from address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard let base = buffer.baseAddress else { return true }
    var done = 0
    return unsafe forEachPiece(address, buffer.count) { piece in
      guard let source = piece.baseAddress else { return }
      // SAFETY: the pieces add up to `buffer.count`.
      unsafe (base + done).copyMemory(from: source, byteCount: piece.count)
      done += piece.count
    }
  }

  /// Copies `bytes` into guest memory at `address`.
  ///
  /// - Returns: false, with nothing copied, if a byte is outside the table.
  public func copyOut(_ bytes: UnsafeRawBufferPointer, to address: UInt64) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    var done = 0
    return unsafe forEachPiece(address, bytes.count) { piece in
      guard let destination = piece.baseAddress else { return }
      // SAFETY: the pieces add up to `bytes.count`.
      unsafe destination.copyMemory(from: base + done, byteCount: piece.count)
      done += piece.count
    }
  }

  /// File and offset of the `byteCount` bytes at `address`, for udmabuf; nil unless one region contains all of them.
  ///
  /// The region owns the descriptor: use it before `generation` changes. Offset and length are page-aligned only if the
  /// arguments are.
  public func fileRange(_ address: UInt64, _ byteCount: Int) -> MemoryRange? {
    guard byteCount > 0, let region = regions.last(where: { $0.guestAddress <= address }) else { return nil }
    let distance = address - region.guestAddress
    guard distance < UInt64(region.byteCount), byteCount <= region.byteCount - Int(distance) else { return nil }
    let offset = Int(distance)
    return MemoryRange(fd: region.fd.raw, offset: region.fileOffset + offset, byteCount: byteCount)
  }

  /// A pointer to the `byteCount` bytes at the frontend's address `userAddress`, or nil unless one region contains all
  /// of them.
  ///
  /// The pointer is valid until `generation` changes.
  public func userAddressToPointer(_ userAddress: UInt64, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount > 0 else { return nil }
    let windows = unsafe self.windows
    for index in unsafe windows.indices {
      let window = unsafe windows[index]
      let (offset, below) = unsafe userAddress.subtractingReportingOverflow(window.userAddress)
      // SAFETY: `offset` is inside the window, and so are the bytes after it.
      if !below, unsafe offset < window.byteCount, unsafe UInt64(byteCount) <= window.byteCount - offset {
        return unsafe window.base + Int(offset)
      }
    }
    return nil
  }

  private func install(_ sorted: [GuestRegion]) {
    regions = sorted
    unsafe windows = sorted.map {
      unsafe Window(
        guestAddress: $0.guestAddress, userAddress: $0.userAddress, byteCount: UInt64($0.byteCount), base: $0.base)
    }
    generation &+= 1
  }

  private func walk(_ address: UInt64, _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    var address = address
    var rest = byteCount
    while rest > 0 {
      guard let window = unsafe window(of: address) else { return false }
      let offset = unsafe address - window.guestAddress
      let count = unsafe Int(min(UInt64(rest), window.byteCount - offset))
      // SAFETY: `offset` is inside the window, and `count` ends with it at the latest.
      unsafe body(UnsafeMutableRawBufferPointer(start: window.base + Int(offset), count: count))
      rest -= count
      // Regions end below 2^64, so the address wraps to 0 only after the last one.
      address &+= UInt64(count)
    }
    return true
  }

  /// The region that contains `address`.
  private func window(of address: UInt64) -> Window? {
    // One access to the class's property instead of one for each step.
    let windows = unsafe self.windows
    var low = 0
    var high = unsafe windows.count
    while low < high {
      let middle = (low + high) / 2
      if unsafe windows[middle].guestAddress <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let window = unsafe windows[low - 1]
    return unsafe address - window.guestAddress < window.byteCount ? window : nil
  }
}
