public import GraphicsMemory
import LinuxIO

/// The guest's memory as this process sees it: a table from guest addresses to mapped files.
///
/// Every address and length may come from a guest: whatever lies outside the table, or overflows, gives nil or false.
/// The guest writes the bytes while we look at them: copy headers before parsing them, and read ring indices through
/// `SharedIndex`. Owned by one thread. Lookups allocate nothing.
@safe public final class GuestMemory {
  /// The most regions that a table may have.
  public static let maxRegionCount = 256

  /// Rises whenever the table changes: pointers got before that are void, and addresses have to be resolved again.
  public private(set) var generation: UInt64 = 0

  /// The table, by rising guest address.
  public private(set) var regions: [GuestRegion] = []

  /// What lookups need of a region, without reference counts.
  @unsafe private struct Window {
    let guestAddress: UInt64
    let userAddress: UInt64
    let byteCount: UInt64
    let base: UnsafeMutableRawPointer
  }
  private var windows: [Window] = unsafe []
  private var lastHit = 0

  /// An empty table.
  public init() {}

  /// Installs another table (SET_MEM_TABLE).
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

  /// Removes the region with exactly these numbers (REM_MEM_REG).
  public func removeRegion(guestAddress: UInt64, userAddress: UInt64, byteCount: UInt64) throws(GuestMemoryError) {
    let index = regions.firstIndex {
      $0.guestAddress == guestAddress && $0.userAddress == userAddress && UInt64($0.byteCount) == byteCount
    }
    guard let index else { throw .noSuchRegion(guestAddress: guestAddress, byteCount: byteCount) }
    var rest = regions
    rest.remove(at: index)
    install(rest)
  }

  /// Where `byteCount` bytes at guest address `address` are, or nil unless one region holds all of them.
  ///
  /// The pointer is good until `generation` changes. No bytes have no address: nil for 0.
  public func contiguous(_ address: UInt64, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount > 0, let index = windowIndex(address) else { return nil }
    let window = unsafe windows[index]
    let offset = unsafe address - window.guestAddress
    // SAFETY: `offset` is inside the window, and so are the bytes after it.
    guard unsafe UInt64(byteCount) <= window.byteCount - offset else { return nil }
    return unsafe window.base + Int(offset)
  }

  /// Calls `body` for each piece of the `byteCount` bytes at `address`, in their order.
  ///
  /// The bytes may cross from one region into the next.
  /// - Returns: false, without any call, where a byte lies outside; true without any call for no bytes.
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

  /// Whether all of `byteCount` bytes at `address` are guest memory.
  public func contains(_ address: UInt64, _ byteCount: Int) -> Bool {
    byteCount >= 0 && (unsafe walk(address, byteCount) { _ in })
  }

  /// Copies guest bytes from `address` on to fill `buffer`.
  ///
  /// - Returns: false, with nothing copied, where a byte lies outside.
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

  /// Copies `bytes` to the guest's memory at `address`.
  ///
  /// - Returns: false, with nothing copied, where a byte lies outside.
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

  /// The file and offset behind `byteCount` bytes at `address`, for udmabuf; nil unless one region holds them all.
  ///
  /// The descriptor is the region's: use it before `generation` changes. Offset and length are page-aligned only where
  /// the arguments are.
  public func fileRange(_ address: UInt64, _ byteCount: Int) -> MemoryRange? {
    guard byteCount > 0, let index = windowIndex(address) else { return nil }
    let region = regions[index]
    let offset = Int(address - region.guestAddress)
    guard byteCount <= region.byteCount - offset else { return nil }
    return MemoryRange(fd: region.fd.raw, offset: region.fileOffset + offset, byteCount: byteCount)
  }

  /// Where `byteCount` bytes at the frontend's address `userAddress` are, or nil unless one region holds all of them.
  ///
  /// The pointer is good until `generation` changes.
  public func userAddressToPointer(_ userAddress: UInt64, _ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount > 0 else { return nil }
    for index in 0..<regions.count {
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
    lastHit = 0
    generation &+= 1
  }

  private func walk(_ address: UInt64, _ byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) -> Bool {
    var address = address
    var rest = byteCount
    while rest > 0 {
      guard let index = windowIndex(address) else { return false }
      let window = unsafe windows[index]
      let offset = unsafe address - window.guestAddress
      let count = unsafe Int(min(UInt64(rest), window.byteCount - offset))
      // SAFETY: `offset` is inside the window, and `count` ends with it at the latest.
      unsafe body(UnsafeMutableRawBufferPointer(start: window.base + Int(offset), count: count))
      rest -= count
      // The table's regions end below 2^64, so a wrap to 0 happens only past the last of them.
      address &+= UInt64(count)
    }
    return true
  }

  /// The region that holds `address`.
  private func windowIndex(_ address: UInt64) -> Int? {
    if lastHit < regions.count, holds(lastHit, address) { return lastHit }
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      if unsafe windows[middle].guestAddress <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0, holds(low - 1, address) else { return nil }
    lastHit = low - 1
    return lastHit
  }

  private func holds(_ index: Int, _ address: UInt64) -> Bool {
    let (offset, below) = unsafe address.subtractingReportingOverflow(windows[index].guestAddress)
    return unsafe !below && offset < windows[index].byteCount
  }
}
