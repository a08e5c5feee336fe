import CFramepathABI

/// The kinds of clients.
public enum ClientKind: UInt32, Sendable {
  /// A virtual machine's backend.
  case vm = 1
  /// A container or a process of the host.
  case container = 2
  /// A tool without scanouts.
  case tool = 3
}

/// HELLO: a client introduces itself.
public struct Hello: Equatable, Sendable {
  /// The kind of client.
  public var kind: ClientKind
  /// The client's name, 1 to 63 bytes; unique among connected clients with scanouts.
  public var name: String
  /// The number of scanouts, at most 16; 0 for a tool.
  public var scanoutCount: Int
  /// The output of each scanout by name; empty or missing for any free one.
  public var outputs: [String]

  /// A HELLO of that client.
  public init(kind: ClientKind, name: String, scanoutCount: Int, outputs: [String] = []) {
    self.kind = kind
    self.name = name
    self.scanoutCount = scanoutCount
    self.outputs = outputs
  }
}

extension framepath_hello {
  init(_ hello: Hello) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_HELLO, framepath_hello.self)
    magic = FRAMEPATH_PROTOCOL_MAGIC
    version = FRAMEPATH_PROTOCOL_VERSION
    client_kind = hello.kind.rawValue
    scanout_count = UInt32(clamping: hello.scanoutCount)
    storeText(hello.name, in: &name)
    unsafe withUnsafeMutableBytes(of: &outputs) { space in
      let length = Int(FRAMEPATH_OUTPUT_NAME_BYTES)
      for (index, output) in hello.outputs.prefix(PresentLimits.scanoutCount).enumerated() {
        for (place, byte) in output.utf8.prefix(length - 1).enumerated() {
          unsafe space[index * length + place] = byte
        }
      }
    }
  }
}

extension Hello {
  init(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) {
    guard bytes.count >= 24, unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self) == FRAMEPATH_PROTOCOL_MAGIC
    else { throw .malformed("HELLO without the protocol's magic number") }
    let version = unsafe bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)
    guard version == FRAMEPATH_PROTOCOL_VERSION else { throw .otherVersion(version) }
    var wire = try unsafe load(bytes, as: framepath_hello.self)
    guard let kind = ClientKind(rawValue: wire.client_kind) else {
      throw .malformed("HELLO has client kind \(wire.client_kind)")
    }
    guard wire.scanout_count <= UInt32(FRAMEPATH_MAX_SCANOUTS) else {
      throw .malformed("HELLO requests \(wire.scanout_count) scanouts, more than \(FRAMEPATH_MAX_SCANOUTS)")
    }
    let name = try loadText(wire.name, "HELLO's name")
    guard PresentLimits.isValidName(name) else {
      throw .malformed("invalid name \(name.debugDescription): use \(PresentLimits.nameRule)")
    }
    let texts = unsafe withUnsafeBytes(of: &wire.outputs) { unsafe Array($0) }
    let length = Int(FRAMEPATH_OUTPUT_NAME_BYTES)
    var outputs: [String] = []
    for index in 0..<Int(wire.scanout_count) {
      let field = texts[(index * length)..<((index + 1) * length)]
      guard let end = field.firstIndex(of: 0), let text = String(validating: field[..<end], as: UTF8.self) else {
        throw .malformed("HELLO's output \(index) is not 0-terminated UTF-8 text")
      }
      outputs.append(text)
    }
    self.init(kind: kind, name: name, scanoutCount: Int(wire.scanout_count), outputs: outputs)
  }
}
