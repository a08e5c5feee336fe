import Glibc

/// Shared memory mapped into this process, unmapped once.
///
/// Other processes may write these bytes at any time: read single values through atomics, and copy the rest before
/// parsing it.
@safe public struct Mapping: ~Copyable {
  /// The first byte; page-aligned.
  public let base: UnsafeMutableRawPointer
  /// Length in bytes.
  public let byteCount: Int

  /// Maps `byteCount` bytes of `fd` shared.
  ///
  /// The corresponding C function is `mmap(MAP_SHARED)`.
  /// - Parameters:
  ///   - fd: a memfd, dma-buf or device.
  ///   - offset: bytes, a multiple of the page size.
  ///   - writable: maps with `PROT_WRITE` too.
  public init(fd: Int32, offset: Int = 0, byteCount: Int, writable: Bool = true) throws(SystemError) {
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    guard byteCount > 0, let address = unsafe mmap(nil, byteCount, protection, MAP_SHARED, fd, offset),
      unsafe address != MAP_FAILED
    else {
      throw SystemError(call: "mmap", code: byteCount > 0 ? errno : EINVAL, subject: "\(byteCount) bytes at \(offset)")
    }
    unsafe base = address
    self.byteCount = byteCount
  }

  /// A piece of a file that becomes part of one mapping.
  public struct Piece {
    /// The file.
    public var fd: Int32
    /// The offset in the file in bytes, page-aligned.
    public var offset: Int
    /// The length in bytes, whole pages.
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
  /// The corresponding C function is `mmap(MAP_SHARED | MAP_FIXED)` into a reserved range.
  public init(pieces: [Piece], writable: Bool = true) throws(SystemError) {
    var total = 0
    for piece in pieces {
      let (sum, overflow) = total.addingReportingOverflow(piece.byteCount)
      guard piece.byteCount > 0, piece.byteCount % pageByteCount == 0, !overflow else {
        throw SystemError(call: "mmap", code: EINVAL, subject: "\(piece.byteCount) bytes at \(piece.offset)")
      }
      total = sum
    }
    guard total > 0, let address = unsafe mmap(nil, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe address != MAP_FAILED
    else { throw SystemError(call: "mmap", code: total > 0 ? errno : EINVAL, subject: "\(total) bytes") }
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    var filled = 0
    for piece in pieces {
      // SAFETY: filled + piece.byteCount <= total, so only the range reserved above is replaced.
      let placed = unsafe mmap(
        address + filled, piece.byteCount, protection, MAP_SHARED | MAP_FIXED, piece.fd, piece.offset)
      guard unsafe placed != MAP_FAILED else {
        let code = errno
        unsafe munmap(address, total)
        throw SystemError(call: "mmap", code: code, subject: "\(piece.byteCount) bytes at \(piece.offset)")
      }
      filled += piece.byteCount
    }
    unsafe base = address
    byteCount = total
  }

  deinit { unsafe munmap(base, byteCount) }

  /// The mapping as a buffer pointer; valid while this value lives.
  public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }
}

/// The size of a memory page in bytes.
public let pageByteCount = sysconf(Int32(_SC_PAGESIZE))

/// `byteCount` rounded up to whole pages; nil on overflow.
public func roundedUpToPages(_ byteCount: Int) -> Int? {
  let (sum, overflow) = byteCount.addingReportingOverflow(pageByteCount - 1)
  return overflow || byteCount < 0 ? nil : sum / pageByteCount * pageByteCount
}
