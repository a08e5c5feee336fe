import CLinux
import Glibc
public import LinuxIO

/// A region of guest memory: its guest address, the frontend's address for the same bytes, and our mapping.
///
/// The mapping lives as long as any copy of this value.
@safe public struct GuestRegion {
  /// Guest-physical address of the first byte.
  public let guestAddress: UInt64
  /// The frontend's address of the first byte; vhost-user gives ring addresses this way.
  public let userAddress: UInt64
  /// Length in bytes, at least 1.
  public let byteCount: Int
  /// The file that holds the bytes.
  public let fd: SharedFD
  /// The offset of the first byte in the file.
  public let fileOffset: Int
  private let mapping: RegionMapping

  /// The first byte in this process.
  @unsafe public var base: UnsafeMutableRawPointer { unsafe mapping.base }

  /// Maps a region of a file that cannot shrink.
  ///
  /// Another owner of the file could truncate it at any time, and a read past its end raises SIGBUS. So the file must
  /// have F_SEAL_SHRINK, and be long enough when it is mapped. `memory-backend-memfd` seals by default (hugetlb too);
  /// `memory-backend-file` cannot, and is refused, as udmabuf would refuse it.
  /// - Parameters:
  ///   - guestAddress: guest-physical address of the first byte.
  ///   - userAddress: the frontend's address of the first byte.
  ///   - byteCount: bytes; any value is safe.
  ///   - fd: the memfd.
  ///   - fileOffset: bytes; any value is safe.
  public init(
    guestAddress: UInt64, userAddress: UInt64, byteCount: UInt64, fd: SharedFD, fileOffset: UInt64
  ) throws(GuestMemoryError) {
    guard byteCount > 0 else { throw .emptyRegion(guestAddress: guestAddress) }
    guard !guestAddress.addingReportingOverflow(byteCount).overflow,
      !userAddress.addingReportingOverflow(byteCount).overflow,
      let offset = Int(exactly: fileOffset), let length = Int(exactly: byteCount),
      case let (end, overflow) = offset.addingReportingOverflow(length), !overflow
    else {
      throw .regionOverflows(
        guestAddress: guestAddress, userAddress: userAddress, byteCount: byteCount, fileOffset: fileOffset)
    }
    guard let seals = MemFD.seals(of: fd.raw), seals.contains(.shrink) else {
      throw .notSealed(guestAddress: guestAddress)
    }
    var status = stat()
    guard unsafe fstat(fd.raw, &status) == 0 else { throw .system(SystemError(call: "fstat", code: errno)) }
    let fileByteCount = Int(status.st_size)
    guard fileByteCount >= end else {
      throw .fileTooShort(guestAddress: guestAddress, neededByteCount: end, fileByteCount: fileByteCount)
    }
    self.guestAddress = guestAddress
    self.userAddress = userAddress
    self.byteCount = length
    self.fd = fd
    self.fileOffset = offset
    do throws(SystemError) {
      mapping = try RegionMapping(
        fd: fd.raw, offset: offset, byteCount: length, blockByteCount: Int(status.st_blksize))
    } catch {
      throw .system(error)
    }
  }
}

/// A mapping shared by all copies of a region.
@safe private final class RegionMapping {
  private let mapping: Mapping
  private let skip: Int

  /// hugetlb maps whole huge pages only; its block size is the huge page.
  init(fd: Int32, offset: Int, byteCount: Int, blockByteCount: Int) throws(SystemError) {
    let isPowerOfTwo = blockByteCount > 0 && blockByteCount & (blockByteCount - 1) == 0
    let unit = isPowerOfTwo ? max(blockByteCount, pageByteCount) : pageByteCount
    skip = offset & (unit - 1)
    let (padded, overflow) = (skip + byteCount).addingReportingOverflow(unit - 1)
    guard !overflow else { throw SystemError(call: "mmap", code: EOVERFLOW, subject: "\(byteCount) bytes") }
    mapping = try Mapping(fd: fd, offset: offset - skip, byteCount: padded & ~(unit - 1))
  }

  // SAFETY: `skip` is less than one unit, and the mapping holds `skip` and at least one byte after it.
  var base: UnsafeMutableRawPointer { unsafe mapping.base + skip }
}
