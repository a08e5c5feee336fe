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

  /// The guest address, or one in the same page, at which memory was missing when this process accessed it first; nil
  /// if none was. Zeros are there since then, for this process.
  public var faultAddress: UInt64? { mapping.faultOffset.map { guestAddress &+ UInt64(bitPattern: Int64($0)) } }

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
      mapping = try RegionMapping(fd: fd.raw, offset: offset, byteCount: length)
    } catch {
      throw .system(error)
    }
  }

  private init(_ old: GuestRegion, _ mapping: RegionMapping) {
    guestAddress = old.guestAddress
    userAddress = old.userAddress
    byteCount = old.byteCount
    fd = old.fd
    fileOffset = old.fileOffset
    self.mapping = mapping
  }

  /// The same region mapped anew, without the zeros in the place of missing memory.
  func mappedAgain() throws(GuestMemoryError) -> GuestRegion {
    do throws(SystemError) {
      return GuestRegion(self, try RegionMapping(fd: fd.raw, offset: fileOffset, byteCount: byteCount))
    } catch {
      throw .system(error)
    }
  }
}

/// A mapping shared by all copies of a region.
@safe private final class RegionMapping {
  private let mapping: Mapping

  init(fd: Int32, offset: Int, byteCount: Int) throws(SystemError) {
    mapping = try Mapping(fd: fd, offset: offset, byteCount: byteCount)
  }

  var base: UnsafeMutableRawPointer { unsafe mapping.base }
  var faultOffset: Int? { mapping.faultOffset }
}
