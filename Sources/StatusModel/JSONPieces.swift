/// The JSON text of a report in pieces, so that its writer can do other work in between. The concatenated pieces are
/// the text that `JSONText` produces for the whole report.
///
/// A report's last field is an array whose elements are added one by one; an element can itself be such a report.
public final class JSONPieces {
  private var head: [UInt8]?
  private var nextElement: (() throws -> JSONPieces?)?
  private var element: JSONPieces?
  private var isFirst = true

  /// One piece.
  ///
  /// - Throws: errors of the value's `encode(to:)`.
  public init(_ value: some Encodable) throws { head = try JSONText.bytes(of: value) }

  /// A report with its elements.
  ///
  /// - Parameters:
  ///   - report: the report with an empty last field.
  ///   - nextElement: returns the elements in order, and nil after the last one.
  /// - Throws: `ReportError` if the last field is not an empty array.
  public init(_ report: some Encodable, nextElement: @escaping () throws -> JSONPieces?) throws {
    let text = try JSONText.bytes(of: report)
    guard text.suffix(3).elementsEqual("[]}".utf8) else { throw ReportError("the last field is not an empty array") }
    head = text.dropLast(2)
    self.nextElement = nextElement
  }

  /// The next piece; nil after the last one.
  ///
  /// - Throws: errors of `nextElement`.
  public func next() throws -> [UInt8]? {
    if let head = head.take() { return head }
    if let piece = try element?.next() { return piece }
    guard let nextElement else { return nil }
    element = try nextElement()
    guard let first = try element?.next() else {
      self.nextElement = nil
      return Array("]}".utf8)
    }
    defer { isFirst = false }
    return isFirst ? first : [0x2c] + first
  }
}

/// A failure to write or read a report.
public struct ReportError: Error, Equatable, CustomStringConvertible {
  /// The reason.
  public let description: String

  /// An error with its reason.
  public init(_ description: String) { self.description = description }
}
