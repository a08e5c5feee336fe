public import LinuxIO

/// Why a client's memory ranges cannot hold a picture.
public enum MemoryRangeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Range `index` starts or ends inside a page, is empty, or is negative.
  case misaligned(index: Int)
  /// Range `index` names a descriptor that was not sent.
  case unknownDescriptor(index: Int)
  /// The memfd of range `index` lacks F_SEAL_SHRINK: it could be truncated while it is read.
  case unsealed(index: Int)
  /// Range `index` exceeds its file.
  case outsideFile(index: Int, fileByteCount: Int)
  /// The ranges hold fewer bytes than the picture.
  case tooSmall(byteCount: Int, needed: Int)
  /// A call on the file failed.
  case system(SystemError)

  /// A message for the user.
  public var description: String {
    switch self {
    case .misaligned(let index): "range \(index) is not made of whole pages"
    case .unknownDescriptor(let index): "range \(index) names a descriptor that was not sent"
    case .unsealed(let index): "the memfd of range \(index) lacks F_SEAL_SHRINK"
    case .outsideFile(let index, let size): "range \(index) exceeds its memfd's \(size) bytes"
    case .tooSmall(let have, let needed): "the ranges hold \(have) bytes, but the picture needs \(needed)"
    case .system(let error): error.description
    }
  }
}

extension MemoryRange {
  /// Checks that the ranges can be mapped safely, and merges neighbours of one file.
  ///
  /// - Parameters:
  ///   - ranges: as the client sent them, in the picture's order.
  ///   - descriptors: the descriptors that the ranges may name.
  ///   - layout: the picture that they must hold.
  public static func checked(
    _ ranges: [MemoryRange], descriptors: [SharedFD], layout: FrameLayout
  ) throws(MemoryRangeError) -> [MemoryRange] {
    var sizes: [Int32: Int] = [:]
    var total = 0
    for (index, range) in ranges.enumerated() {
      let (end, overflow) = range.offset.addingReportingOverflow(range.byteCount)
      guard range.offset >= 0, range.byteCount > 0, range.isWholePages else { throw .misaligned(index: index) }
      let fileByteCount: Int
      if let known = sizes[range.fd] {
        fileByteCount = known
      } else {
        fileByteCount = try sealedByteCount(of: range.fd, among: descriptors, index: index)
        sizes[range.fd] = fileByteCount
      }
      guard !overflow, end <= fileByteCount else { throw .outsideFile(index: index, fileByteCount: fileByteCount) }
      let (sum, tooMany) = total.addingReportingOverflow(range.byteCount)
      guard !tooMany else { throw .outsideFile(index: index, fileByteCount: fileByteCount) }
      total = sum
    }
    guard total >= layout.byteCount else { throw .tooSmall(byteCount: total, needed: layout.byteCount) }
    return merged(ranges)
  }

  /// Offsets and lengths must be multiples of this number of bytes.
  public static let pageBytes = pageByteCount

  /// Whether it starts and ends at a page boundary.
  public var isWholePages: Bool { offset % pageByteCount == 0 && byteCount % pageByteCount == 0 }

  /// Merges neighbouring ranges of one file.
  public static func merged(_ ranges: [MemoryRange]) -> [MemoryRange] {
    var result: [MemoryRange] = []
    for range in ranges {
      if let last = result.last, last.fd == range.fd, last.offset + last.byteCount == range.offset {
        result[result.count - 1].byteCount += range.byteCount
      } else {
        result.append(range)
      }
    }
    return result
  }

  private static func sealedByteCount(
    of fd: Int32, among descriptors: [SharedFD], index: Int
  ) throws(MemoryRangeError) -> Int {
    guard let descriptor = descriptors.first(where: { $0.raw == fd }) else { throw .unknownDescriptor(index: index) }
    guard let seals = MemFD.seals(of: fd), seals.contains(.shrink) else { throw .unsealed(index: index) }
    do {
      return try descriptor.byteCount()
    } catch {
      throw .system(error)
    }
  }
}
