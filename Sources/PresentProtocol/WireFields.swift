import CFramepathABI
import Scanout

/// The protocol version of this implementation.
public enum PresentProtocolVersion {
  /// FRAMEPATH_PROTOCOL_VERSION.
  public static let current: UInt32 = FRAMEPATH_PROTOCOL_VERSION
}

/// Limits of the protocol.
public enum PresentLimits {
  /// The longest message in bytes, with room for later versions.
  public static let messageByteCount = 2048
  /// The most scanouts of one client.
  public static let scanoutCount = Int(FRAMEPATH_MAX_SCANOUTS)
  /// The longest name of a client in bytes of UTF-8.
  public static let nameByteCount = Int(FRAMEPATH_NAME_BYTES) - 1
  /// The longest name of an output in bytes of UTF-8.
  public static let outputNameByteCount = Int(FRAMEPATH_OUTPUT_NAME_BYTES) - 1
  /// The most ranges of one imported buffer.
  public static let rangeCount = Int(FRAMEPATH_MAX_RANGES)
  /// The longest text of a setting in bytes of UTF-8.
  public static let settingTextByteCount = Int(FRAMEPATH_SETTING_TEXT_BYTES) - 1
  /// The most records of one SETTINGS.
  public static let settingCount = Int(FRAMEPATH_MAX_SETTINGS)
  /// The limit for bytes copied for one frame: days of copying.
  public static let copiedByteCount: UInt64 = 1 << 50
  /// The most descriptors of one message.
  public static let descriptorCount = 64

  /// The rule of `isValidName` for messages, such as the end of "invalid VM name "a/b": use …".
  public static let nameRule =
    "1 to \(nameByteCount) bytes without \"/\", invisible characters and blanks at its ends"

  /// Whether a name is valid for a client: 1 to 63 bytes, no `/`, no control, format or separator characters other than
  /// spaces, and none of those at its ends. Nobody can tell two names apart that differ in such characters.
  public static func isValidName(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= nameByteCount, name.first != " ", name.last != " " else { return false }
    return name.unicodeScalars.allSatisfy { scalar in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
      case .spaceSeparator: scalar == " "
      default: scalar != "/"
      }
    }
  }

  /// Whether HELLO can name an output of this name: 1 to 31 bytes. Whether it exists is checked by the daemon.
  public static func isValidOutputName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= outputNameByteCount && !name.utf8.contains(0)
  }
}

/// Stores `text` 0-terminated in a C array of chars; a long one is cut between characters.
func storeText<Field>(_ text: String, in field: inout Field) {
  unsafe withUnsafeMutableBytes(of: &field) { space in
    var end = 0
    for character in text {
      let length = character.utf8.count
      if end + length >= space.count { break }
      end += length
    }
    for (index, byte) in text.utf8.prefix(end).enumerated() { unsafe space[index] = byte }
  }
}

/// Loads a 0-terminated text from a C array of chars.
func loadText<Field>(_ field: Field, _ what: StaticString) throws(PresentProtocolError) -> String {
  var copy = field
  let bytes = unsafe withUnsafeBytes(of: &copy) { unsafe Array($0) }
  guard let end = bytes.firstIndex(of: 0), let text = String(validating: bytes[..<end], as: UTF8.self) else {
    throw .malformed("\(what) is not 0-terminated UTF-8 text")
  }
  return text
}

/// Loads a C struct from received bytes.
func load<Wire: BitwiseCopyable>(
  _ bytes: UnsafeRawBufferPointer, as type: Wire.Type
) throws(PresentProtocolError) -> Wire {
  guard bytes.count == MemoryLayout<Wire>.size else {
    throw .malformed("\(bytes.count) bytes, but \(type) has \(MemoryLayout<Wire>.size)")
  }
  return unsafe bytes.loadUnaligned(as: Wire.self)
}

/// Checks the header.
func decodeHeader(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) -> framepath_header {
  let size = MemoryLayout<framepath_header>.size
  guard bytes.count >= size else { throw .malformed("a message of \(bytes.count) bytes, shorter than its header") }
  let head = unsafe bytes.loadUnaligned(as: framepath_header.self)
  guard Int(head.size) == bytes.count else {
    throw .malformed("a message of \(bytes.count) bytes with the size \(head.size) in its header")
  }
  return head
}

/// The size of a packet's first message by its header; if that is impossible, the whole packet, which the decoder then
/// refuses.
func firstMessageByteCount(in packet: UnsafeRawBufferPointer) -> Int {
  let headerByteCount = MemoryLayout<framepath_header>.size
  guard packet.count >= headerByteCount else { return packet.count }
  let size = Int(unsafe packet.loadUnaligned(as: framepath_header.self).size)
  return (headerByteCount...packet.count).contains(size) ? size : packet.count
}

/// Stores a C struct with a header for sending.
func store<Wire: BitwiseCopyable>(_ wire: Wire, into buffer: UnsafeMutableRawBufferPointer) -> Int {
  unsafe buffer.storeBytes(of: wire, as: Wire.self)
  return MemoryLayout<Wire>.size
}

/// The header of a message with the C struct `type`.
func header<Wire>(_ kind: framepath_type, _ type: Wire.Type, request: UInt64 = 0) -> framepath_header {
  framepath_header(type: kind.rawValue, size: UInt32(MemoryLayout<Wire>.size), request: request)
}

extension framepath_rect {
  init(_ rect: Rect) {
    self.init(
      x: Int32(clamping: rect.x), y: Int32(clamping: rect.y), width: UInt32(clamping: rect.width),
      height: UInt32(clamping: rect.height))
  }

  var rect: Rect { Rect(x: Int(x), y: Int(y), width: Int(width), height: Int(height)) }
}
