/// Encodes values as JSON text, with keys in the order in which they are encoded: the order of declaration.
///
/// Foundation's encoder does not keep the order of keys, and takes several times as long. Nested containers must be
/// filled one after another, as synthesized conformances do. A number that JSON cannot express is `null`.
public enum JSONText {
  /// The text of a value.
  ///
  /// - Throws: errors of the value's `encode(to:)`; synthesized conformances do not throw.
  public static func bytes(of value: some Encodable) throws -> [UInt8] {
    let text = Text()
    try text.append(value)
    return text.bytes
  }

  /// The text so far, and the containers that are open in it.
  fileprivate final class Text {
    private(set) var bytes: [UInt8] = []
    /// One for each open container.
    private var open: [(closing: UInt8, isEmpty: Bool)] = []

    init() { bytes.reserveCapacity(1024) }

    func append(_ value: some Encodable) throws {
      let (depth, count) = (open.count, bytes.count)
      try value.encode(to: JSONEncoder(text: self))
      close(to: depth)
      // Nothing was encoded.
      if bytes.count == count { append(raw: "null") }
    }

    /// Opens an object or an array, and returns its depth.
    func begin(_ opening: UInt8, _ closing: UInt8) -> Int {
      bytes.append(opening)
      open.append((closing, true))
      return open.count
    }

    /// Closes containers until this many are open.
    func close(to depth: Int) {
      while open.count > depth { bytes.append(open.removeLast().closing) }
    }

    /// Begins the next element of the container at a depth, with a key if it is an object.
    func element(_ depth: Int, _ key: (any CodingKey)? = nil) {
      close(to: depth)
      if let last = open.indices.last {
        if !open[last].isEmpty { bytes.append(0x2c) }
        open[last].isEmpty = false
      }
      guard let key else { return }
      append(string: key.stringValue)
      bytes.append(0x3a)
    }

    func append(raw text: String) { bytes.append(contentsOf: text.utf8) }

    func append(string text: String) {
      bytes.append(0x22)
      for byte in text.utf8 {
        switch byte {
        case 0x22, 0x5c:
          bytes.append(0x5c)
          bytes.append(byte)
        case 0x00..<0x20, 0x7f:
          append(raw: "\\u00")
          bytes.append(Text.hexadecimal(byte >> 4))
          bytes.append(Text.hexadecimal(byte & 15))
        default: bytes.append(byte)
        }
      }
      bytes.append(0x22)
    }

    func append(number value: some BinaryInteger) {
      guard let value = UInt64(exactly: value) else { return append(raw: String(value)) }
      let start = bytes.count
      var rest = value
      repeat {
        bytes.append(0x30 + UInt8(rest % 10))
        rest /= 10
      } while rest > 0
      bytes[start...].reverse()
    }

    func append(number value: some BinaryFloatingPoint & LosslessStringConvertible) {
      append(raw: value.isFinite ? value.description : "null")
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 + digit : 0x57 + digit }
  }
}

private struct JSONEncoder: Encoder {
  let text: JSONText.Text
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(JSONObject(text: text, depth: text.begin(0x7b, 0x7d)))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer { JSONArray(text: text, depth: text.begin(0x5b, 0x5d)) }

  func singleValueContainer() -> any SingleValueEncodingContainer { JSONValue(text: text) }
}

private struct JSONObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let text: JSONText.Text
  let depth: Int
  var codingPath: [any CodingKey] { [] }

  func encodeNil(forKey key: Key) { value(key).encodeNil() }
  func encode(_ value: Bool, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: String, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Double, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Float, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Int, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Int8, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Int16, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Int32, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: Int64, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: UInt, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: UInt8, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: UInt16, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: UInt32, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: UInt64, forKey key: Key) { self.value(key).encode(value) }
  func encode(_ value: some Encodable, forKey key: Key) throws { try self.value(key).encode(value) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    encoder(key).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
  func superEncoder() -> any Encoder {
    text.element(depth)
    text.append(string: "super")
    text.append(raw: ":")
    return JSONEncoder(text: text)
  }
  func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }

  private func value(_ key: Key) -> JSONValue {
    text.element(depth, key)
    return JSONValue(text: text)
  }

  private func encoder(_ key: Key) -> JSONEncoder {
    text.element(depth, key)
    return JSONEncoder(text: text)
  }
}

private struct JSONArray: UnkeyedEncodingContainer {
  let text: JSONText.Text
  let depth: Int
  private(set) var count = 0
  var codingPath: [any CodingKey] { [] }

  init(text: JSONText.Text, depth: Int) {
    self.text = text
    self.depth = depth
  }

  mutating func encodeNil() { next().encodeNil() }
  mutating func encode(_ value: Bool) { next().encode(value) }
  mutating func encode(_ value: String) { next().encode(value) }
  mutating func encode(_ value: Double) { next().encode(value) }
  mutating func encode(_ value: Float) { next().encode(value) }
  mutating func encode(_ value: Int) { next().encode(value) }
  mutating func encode(_ value: Int8) { next().encode(value) }
  mutating func encode(_ value: Int16) { next().encode(value) }
  mutating func encode(_ value: Int32) { next().encode(value) }
  mutating func encode(_ value: Int64) { next().encode(value) }
  mutating func encode(_ value: UInt) { next().encode(value) }
  mutating func encode(_ value: UInt8) { next().encode(value) }
  mutating func encode(_ value: UInt16) { next().encode(value) }
  mutating func encode(_ value: UInt32) { next().encode(value) }
  mutating func encode(_ value: UInt64) { next().encode(value) }
  mutating func encode(_ value: some Encodable) throws { try next().encode(value) }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    _ = next()
    return JSONEncoder(text: text).container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    _ = next()
    return JSONEncoder(text: text).unkeyedContainer()
  }
  mutating func superEncoder() -> any Encoder {
    _ = next()
    return JSONEncoder(text: text)
  }

  private mutating func next() -> JSONValue {
    text.element(depth)
    count += 1
    return JSONValue(text: text)
  }
}

private struct JSONValue: SingleValueEncodingContainer {
  let text: JSONText.Text
  var codingPath: [any CodingKey] { [] }

  func encodeNil() { text.append(raw: "null") }
  func encode(_ value: Bool) { text.append(raw: value ? "true" : "false") }
  func encode(_ value: String) { text.append(string: value) }
  func encode(_ value: Double) { text.append(number: value) }
  func encode(_ value: Float) { text.append(number: value) }
  func encode(_ value: Int) { text.append(number: value) }
  func encode(_ value: Int8) { text.append(number: value) }
  func encode(_ value: Int16) { text.append(number: value) }
  func encode(_ value: Int32) { text.append(number: value) }
  func encode(_ value: Int64) { text.append(number: value) }
  func encode(_ value: UInt) { text.append(number: value) }
  func encode(_ value: UInt8) { text.append(number: value) }
  func encode(_ value: UInt16) { text.append(number: value) }
  func encode(_ value: UInt32) { text.append(number: value) }
  func encode(_ value: UInt64) { text.append(number: value) }
  func encode(_ value: some Encodable) throws { try text.append(value) }
}
