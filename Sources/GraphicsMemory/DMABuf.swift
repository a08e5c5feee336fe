import CLinux
public import LinuxIO

/// CPU access to dma-bufs (Documentation/driver-api/dma-buf.rst).
public enum DMABuf {
  private static let read: UInt64 = 1
  private static let write: UInt64 = 2
  private static let end: UInt64 = 4

  /// DMA_BUF_SYNC_START.
  public static func beginAccess(_ fd: Int32, read: Bool) {
    // A failure means that the exporter needs no bracket or is gone; the access is harmless either way.
    _ = clinux_dma_buf_sync(fd, read ? Self.read | write : write)
  }

  /// DMA_BUF_SYNC_END.
  public static func endAccess(_ fd: Int32, read: Bool) {
    _ = clinux_dma_buf_sync(fd, (read ? Self.read | write : write) | end)
  }
}

/// One page-aligned piece of a memfd.
public struct MemoryRange: Equatable, Sendable {
  /// The memfd.
  public var fd: Int32
  /// The offset in the memfd in bytes, page-aligned.
  public var offset: Int
  /// The length in bytes, whole pages.
  public var byteCount: Int

  /// A range of `byteCount` bytes at `offset` of `fd`.
  public init(fd: Int32, offset: Int, byteCount: Int) {
    self.fd = fd
    self.offset = offset
    self.byteCount = byteCount
  }

  var piece: Mapping.Piece { Mapping.Piece(fd: fd, offset: offset, byteCount: byteCount) }
}

/// Creates dma-bufs from memfd pages (drivers/dma-buf/udmabuf.c).
public struct UDMABuf: ~Copyable {
  private let device: OwnedFD

  /// Opens /dev/udmabuf.
  public init() throws(SystemError) { device = try OwnedFD.open("/dev/udmabuf", flags: 2) }

  /// A dma-buf over the ranges, in order.
  ///
  /// The memfds must have F_SEAL_SHRINK and no write seal. The corresponding ioctl is `UDMABUF_CREATE_LIST`.
  public borrowing func create(_ ranges: [MemoryRange]) throws(SystemError) -> OwnedFD {
    let list = ranges.map {
      clinux_memory_range(memfd: $0.fd, reserved: 0, offset: UInt64($0.offset), size: UInt64($0.byteCount))
    }
    let raw = device.raw
    return OwnedFD(
      taking: try check("ioctl(UDMABUF_CREATE_LIST)", "\(ranges.count) ranges") {
        unsafe clinux_udmabuf_create(raw, list, UInt32(list.count))
      })
  }
}
