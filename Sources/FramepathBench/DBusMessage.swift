import VhostUser

/// A D-Bus message, limited to the needs of QEMU's display and its listener: little-endian, with one body of plain
/// bytes.
struct DBusMessage {
  /// Message types of the specification.
  enum Kind: UInt8 {
    case call = 1
    case reply = 2
    case error = 3
    case signal = 4
  }

  var kind: Kind
  /// Whether no reply is expected.
  var wantsNoReply = false
  var serial: UInt32
  /// The call that a reply is for.
  var replySerial: UInt32 = 0
  var path = ""
  var interface = ""
  var member = ""
  var signature = ""
  var descriptorCount: UInt32 = 0
  var body: [UInt8] = []

  /// A call.
  init(call member: String, of interface: String, at path: String, serial: UInt32) {
    kind = .call
    self.serial = serial
    (self.path, self.interface, self.member) = (path, interface, member)
  }

  /// The answer to a call.
  init(replyTo call: DBusMessage, serial: UInt32) {
    kind = .reply
    self.serial = serial
    replySerial = call.serial
  }

  /// Bytes of the fixed part of a header.
  static let fixedByteCount = 16

  /// The length of the message whose fixed part begins `bytes`; nil if a display does not send such a message.
  static func byteCount(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard bytes.count >= fixedByteCount, bytes[bytes.startIndex] == UInt8(ascii: "l") else { return nil }
    let body = SocketBytes.little(Array(bytes.prefix(16)), 4, 4)
    let fields = SocketBytes.little(Array(bytes.prefix(16)), 12, 4)
    guard body <= 1 << 28, fields <= 1 << 20 else { return nil }
    return padded(fixedByteCount + fields, 8) + body
  }

  private static func padded(_ count: Int, _ alignment: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  // MARK: Reading

  /// Parses a whole message; nil if it is invalid.
  init?(_ bytes: [UInt8]) {
    guard let whole = DBusMessage.byteCount(bytes[...]), whole <= bytes.count, let kind = Kind(rawValue: bytes[1])
    else { return nil }
    self.kind = kind
    wantsNoReply = bytes[2] & 1 != 0
    serial = UInt32(SocketBytes.little(bytes, 8, 4))
    let end = DBusMessage.fixedByteCount + SocketBytes.little(bytes, 12, 4)
    var at = DBusMessage.fixedByteCount
    while at < end {
      at = DBusMessage.padded(at, 8)
      // A field's number, and a variant: the signature of its value, one character long, then the value.
      guard at + 4 <= end, bytes[at + 1] == 1 else { return nil }
      let (field, type) = (bytes[at], bytes[at + 2])
      at += 4
      switch type {
      case UInt8(ascii: "u"):
        at = DBusMessage.padded(at, 4)
        guard at + 4 <= end else { return nil }
        let value = UInt32(SocketBytes.little(bytes, at, 4))
        if field == 5 { replySerial = value }
        if field == 9 { descriptorCount = value }
        at += 4
      case UInt8(ascii: "s"), UInt8(ascii: "o"):
        at = DBusMessage.padded(at, 4)
        guard at + 4 <= end else { return nil }
        let count = SocketBytes.little(bytes, at, 4)
        guard at + 4 + count + 1 <= end else { return nil }
        let text = String(decoding: bytes[(at + 4)..<(at + 4 + count)], as: UTF8.self)
        if field == 1 { path = text }
        if field == 2 { interface = text }
        if field == 3 { member = text }
        at += 4 + count + 1
      case UInt8(ascii: "g"):
        guard at < end, at + 1 + Int(bytes[at]) + 1 <= end else { return nil }
        let count = Int(bytes[at])
        if field == 8 { signature = String(decoding: bytes[(at + 1)..<(at + 1 + count)], as: UTF8.self) }
        at += 1 + count + 1
      default: return nil
      }
    }
    body = Array(bytes[DBusMessage.padded(end, 8)..<whole])
  }

  // MARK: Writing

  /// The message's bytes.
  var encoded: [UInt8] {
    var fields: [UInt8] = []
    if !path.isEmpty { DBusMessage.add(1, "o", path, to: &fields) }
    if !interface.isEmpty { DBusMessage.add(2, "s", interface, to: &fields) }
    if !member.isEmpty { DBusMessage.add(3, "s", member, to: &fields) }
    if replySerial != 0 { DBusMessage.add(5, replySerial, to: &fields) }
    if !signature.isEmpty {
      DBusMessage.pad(&fields, 8)
      fields += [8, 1, UInt8(ascii: "g"), 0, UInt8(signature.utf8.count)] + Array(signature.utf8) + [0]
    }
    if descriptorCount != 0 { DBusMessage.add(9, descriptorCount, to: &fields) }
    var bytes: [UInt8] = [UInt8(ascii: "l"), kind.rawValue, wantsNoReply ? 1 : 0, 1]
    bytes.append(littleEndian: UInt32(body.count))
    bytes.append(littleEndian: serial)
    bytes.append(littleEndian: UInt32(fields.count))
    bytes += fields
    DBusMessage.pad(&bytes, 8)
    return bytes + body
  }

  private static func pad(_ bytes: inout [UInt8], _ alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  private static func add(_ field: UInt8, _ type: Unicode.Scalar, _ text: String, to bytes: inout [UInt8]) {
    pad(&bytes, 8)
    bytes += [field, 1, UInt8(ascii: type), 0]
    bytes.append(littleEndian: UInt32(text.utf8.count))
    bytes += Array(text.utf8) + [0]
  }

  private static func add(_ field: UInt8, _ value: UInt32, to bytes: inout [UInt8]) {
    pad(&bytes, 8)
    bytes += [field, 1, UInt8(ascii: "u"), 0]
    bytes.append(littleEndian: value)
  }
}
