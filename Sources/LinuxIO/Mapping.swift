import CLinux
import Glibc

/// Shared memory mapped into this process, unmapped once.
///
/// Other processes may write these bytes at any time: read single values through atomics, and copy the rest before
/// parsing it. They may also take the memory away: a file is truncated, a huge page is discarded and the pool is empty,
/// a device is unplugged. An access then raises SIGBUS. A guarded mapping is *spoilt* by that: zeros take the place of
/// the missing page, after a second fault of the whole mapping, and the access goes on.
@safe public struct Mapping: ~Copyable {
  /// The first byte that was asked for.
  public let base: UnsafeMutableRawPointer
  /// Length in bytes, as asked for.
  public let byteCount: Int
  /// What is mapped: the file's whole pages around these bytes.
  private let pages: UnsafeMutableRawBufferPointer
  /// The entry in the table of the SIGBUS handler; nil for memory that is not guarded.
  private let entry: OpaquePointer?

  /// Maps `byteCount` bytes of `fd` shared.
  ///
  /// The corresponding C function is `mmap(MAP_SHARED)`.
  /// - Parameters:
  ///   - fd: a memfd, of huge pages too, dma-buf or device.
  ///   - offset: bytes, at any place in a page.
  ///   - writable: maps with `PROT_WRITE` too.
  ///   - isGuarded: whether a fault spoils the mapping instead of ending the process. A library leaves SIGBUS to its
  ///     program.
  public init(
    fd: Int32, offset: Int = 0, byteCount: Int, writable: Bool = true, isGuarded: Bool = true
  ) throws(SystemError) {
    let unit = clinux_page_unit(fd)
    let skip = offset & (unit - 1)
    guard byteCount > 0, offset >= 0, byteCount <= PiecePlan.mostBytes else {
      throw SystemError(call: "mmap", code: EINVAL, subject: "\(byteCount) bytes at \(offset)")
    }
    let mapped = (skip + byteCount + unit - 1) & ~(unit - 1)
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    guard let address = unsafe mmap(nil, mapped, protection, MAP_SHARED, fd, offset - skip),
      unsafe address != MAP_FAILED
    else { throw SystemError(call: "mmap", code: errno, subject: "\(byteCount) bytes at \(offset)") }
    let pages = unsafe UnsafeMutableRawBufferPointer(start: address, count: mapped)
    unsafe entry = try Mapping.guarded(pages, unit: unit, writable: writable, isGuarded)
    unsafe self.pages = pages
    // SAFETY: skip + byteCount <= mapped.
    unsafe base = address + skip
    self.byteCount = byteCount
  }

  /// A piece of a file that becomes part of one mapping.
  public struct Piece: Equatable, Sendable {
    /// The file.
    public var fd: Int32
    /// The offset in the file in bytes.
    public var offset: Int
    /// The length in bytes.
    public var byteCount: Int

    /// `byteCount` bytes at `offset` of `fd`.
    public init(fd: Int32, offset: Int, byteCount: Int) {
      self.fd = fd
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  /// Maps pieces of files shared, one directly after the other.
  ///
  /// Only the first piece may start, and only the last one may end, inside a page of its file, or a huge page
  /// (`PiecePlan`). The corresponding C function is `mmap(MAP_SHARED | MAP_FIXED)` into a reserved range.
  public init(pieces: [Piece], writable: Bool = true, isGuarded: Bool = true) throws(SystemError) {
    let plan = try PiecePlan(pieces)
    let reserved = plan.byteCount + (plan.largestUnit - pageByteCount)
    guard let address = unsafe mmap(nil, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      unsafe address != MAP_FAILED
    else { throw SystemError(call: "mmap", code: errno, subject: "\(plan.byteCount) bytes") }
    // Huge pages lie at multiples of their size.
    let head = -Int(bitPattern: address) & (plan.largestUnit - 1)
    let tail = reserved - plan.byteCount - head
    // SAFETY: head + plan.byteCount <= reserved: head is less than the largest unit.
    if head > 0 { unsafe munmap(address, head) }
    let start = unsafe address + head
    if tail > 0 { unsafe munmap(start + plan.byteCount, tail) }
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    for place in plan.places {
      // SAFETY: the places are inside the range reserved above, so only that is replaced.
      let placed = unsafe mmap(
        start + place.start, place.byteCount, protection, MAP_SHARED | MAP_FIXED, place.fd, place.fileOffset)
      guard unsafe placed != MAP_FAILED else {
        let code = errno
        unsafe munmap(start, plan.byteCount)
        throw SystemError(call: "mmap", code: code, subject: "\(place.byteCount) bytes at \(place.fileOffset)")
      }
    }
    let pages = unsafe UnsafeMutableRawBufferPointer(start: start, count: plan.byteCount)
    unsafe entry = try Mapping.guarded(pages, unit: plan.largestUnit, writable: writable, isGuarded)
    unsafe self.pages = pages
    unsafe base = start + plan.skip
    byteCount = plan.pieceByteCount
  }

  /// Enters mapped pages into the table of the SIGBUS handler, or unmaps them.
  private static func guarded(
    _ pages: UnsafeMutableRawBufferPointer, unit: Int, writable: Bool, _ isGuarded: Bool
  ) throws(SystemError) -> OpaquePointer? {
    if !isGuarded { return nil }
    if let entry = unsafe clinux_foreign_add(pages.baseAddress, pages.count, unit, writable ? 1 : 0) {
      return unsafe entry
    }
    unsafe munmap(pages.baseAddress, pages.count)
    throw SystemError(call: "mmap", code: ENOMEM, subject: "no memory to guard \(pages.count) bytes")
  }

  deinit {
    // The table must not cover what is mapped here next.
    if let entry = unsafe entry { unsafe clinux_foreign_remove(entry) }
    unsafe munmap(pages.baseAddress, pages.count)
  }

  /// The mapping as a buffer pointer; valid while this value lives.
  public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  // MARK: - Faults

  /// Whether memory of it was missing at an access. It stays so, with zeros, until it is mapped again.
  public var isSpoilt: Bool { faultOffset != nil }

  /// The place of the first missing byte that was accessed, in bytes from `base`; nil if none was missing. It may lie
  /// outside of the bytes that were asked for, in the same pages.
  public var faultOffset: Int? {
    guard let entry = unsafe entry else { return nil }
    let offset = unsafe clinux_foreign_fault(entry)
    return offset < 0 ? nil : unsafe Int(offset) - (base - (pages.baseAddress ?? base))
  }

  /// The faults in guarded mappings of this process so far: while it stays the same, no mapping has been spoilt.
  public static var faultCount: UInt64 { clinux_foreign_fault_count() }
}

/// The size of a memory page in bytes.
public let pageByteCount = sysconf(Int32(_SC_PAGESIZE))

/// `byteCount` rounded up to whole pages; nil on overflow.
public func roundedUpToPages(_ byteCount: Int) -> Int? {
  let (sum, overflow) = byteCount.addingReportingOverflow(pageByteCount - 1)
  return overflow || byteCount < 0 ? nil : sum / pageByteCount * pageByteCount
}
