import Glibc

/// Shared memory mapped into this process, unmapped once.
///
/// Others may write these bytes at any time: read single values through atomics, copy the rest before parsing it.
@safe public struct Mapping: ~Copyable {
  /// First byte; page-aligned.
  public let base: UnsafeMutableRawPointer
  /// Length in bytes.
  public let byteCount: Int

  /// Maps `byteCount` bytes of `fd` shared.
  ///
  /// The corresponding C function is `mmap(MAP_SHARED)`.
  /// - Parameters:
  ///   - fd: a memfd, dma-buf or device.
  ///   - offset: bytes, a multiple of the page size.
  ///   - writable: with `PROT_WRITE`.
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

  deinit { unsafe munmap(base, byteCount) }

  /// All of it as a buffer pointer; valid while this value lives.
  public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }
}

/// The size of a memory page in bytes.
public let pageByteCount = sysconf(Int32(_SC_PAGESIZE))

/// `byteCount` rounded up to whole pages, or nil where that overflows.
public func roundedUpToPages(_ byteCount: Int) -> Int? {
  let (sum, overflow) = byteCount.addingReportingOverflow(pageByteCount - 1)
  return overflow || byteCount < 0 ? nil : sum / pageByteCount * pageByteCount
}
