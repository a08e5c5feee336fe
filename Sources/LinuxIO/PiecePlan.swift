import CLinux
import Glibc

/// Where pieces of files come to lie in one mapping.
///
/// A file is mapped by whole pages, hugetlb memory by huge ones. So only the first piece may start inside a page, and
/// only the last one may end inside one: their pages are mapped whole.
public struct PiecePlan: Equatable, Sendable {
  /// Whole pages of a file.
  public struct Place: Equatable, Sendable {
    /// The file.
    public var fd: Int32
    /// The offset in the file in bytes.
    public var fileOffset: Int
    /// The place in the mapping in bytes.
    public var start: Int
    /// The length in bytes.
    public var byteCount: Int
  }

  /// More than any processor's addresses: larger numbers are refused before they overflow.
  static let mostBytes = 1 << 57

  /// The pages, in order.
  public private(set) var places: [Place] = []
  /// The bytes before the first piece.
  public private(set) var skip = 0
  /// The bytes of all pieces.
  public private(set) var pieceByteCount = 0
  /// The bytes of all pages.
  public private(set) var byteCount = 0
  /// The largest page of a file in bytes. The mapping must start at a multiple of it.
  public private(set) var largestUnit = pageByteCount

  /// Plans a mapping of those pieces.
  ///
  /// - Throws: EINVAL for no or empty pieces, and for pieces that are not whole pages where they must be.
  public init(_ pieces: [Mapping.Piece]) throws(SystemError) {
    try self.init(pieces) { clinux_page_unit($0) }
  }

  /// - Parameter unit: the page size of a file in bytes, a power of two.
  init(_ pieces: [Mapping.Piece], unit: (_ fd: Int32) -> Int) throws(SystemError) {
    var units: [Int32: Int] = [:]
    places.reserveCapacity(pieces.count)
    // The end of the pieces so far in the mapping.
    var end = 0
    for (index, piece) in pieces.enumerated() {
      let unit = units[piece.fd] ?? unit(piece.fd)
      units[piece.fd] = unit
      largestUnit = max(largestUnit, unit)
      if index == 0 {
        skip = piece.offset & (unit - 1)
        end = skip
      }
      let inPage = index == 0 ? skip : 0
      let (pieceEnd, overflow) = piece.offset.addingReportingOverflow(piece.byteCount)
      guard piece.offset >= 0, piece.byteCount > 0, !overflow, piece.byteCount <= PiecePlan.mostBytes - end else {
        throw PiecePlan.refusal(piece, "")
      }
      let startsWhole = (piece.offset - inPage) & (unit - 1) == 0 && (end - inPage) & (unit - 1) == 0
      guard startsWhole, index == pieces.count - 1 || pieceEnd & (unit - 1) == 0 else {
        throw PiecePlan.refusal(piece, ", which are not whole pages of \(unit) bytes")
      }
      let whole = (inPage + piece.byteCount + unit - 1) & ~(unit - 1)
      places.append(
        Place(fd: piece.fd, fileOffset: piece.offset - inPage, start: end - inPage, byteCount: whole))
      byteCount = end - inPage + whole
      end += piece.byteCount
    }
    guard !places.isEmpty else { throw SystemError(call: "mmap", code: EINVAL, subject: "0 bytes") }
    pieceByteCount = end - skip
  }

  private static func refusal(_ piece: Mapping.Piece, _ why: String) -> SystemError {
    SystemError(call: "mmap", code: EINVAL, subject: "\(piece.byteCount) bytes at \(piece.offset)\(why)")
  }
}
