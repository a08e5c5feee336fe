/// Writes JSON text, with keys in the order in which they come.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  private var needsComma = false

  mutating func object(_ key: String? = nil, _ body: (inout JSONWriter) -> Void) {
    open(key, "{")
    body(&self)
    close("}")
  }

  mutating func array(_ key: String, _ body: (inout JSONWriter) -> Void) {
    open(key, "[")
    body(&self)
    close("]")
  }

  mutating func field(_ key: String, _ value: some BinaryInteger) {
    begin(key)
    bytes += Array("\(value)".utf8)
    needsComma = true
  }

  mutating func field(_ key: String, _ value: Bool) {
    begin(key)
    bytes += Array((value ? "true" : "false").utf8)
    needsComma = true
  }

  mutating func field(_ key: String, _ value: String) {
    begin(key)
    string(value)
    needsComma = true
  }

  private mutating func open(_ key: String?, _ bracket: String) {
    begin(key)
    bytes += Array(bracket.utf8)
    needsComma = false
  }

  private mutating func close(_ bracket: String) {
    bytes += Array(bracket.utf8)
    needsComma = true
  }

  private mutating func begin(_ key: String?) {
    if needsComma { bytes.append(0x2c) }
    guard let key else { return }
    string(key)
    bytes.append(0x3a)
  }

  private mutating func string(_ text: String) {
    bytes.append(0x22)
    for byte in text.utf8 {
      switch byte {
      case 0x22, 0x5c: bytes += [0x5c, byte]
      case 0x00..<0x20, 0x7f:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
  }
}
