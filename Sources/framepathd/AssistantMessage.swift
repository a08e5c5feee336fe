import LinuxIO
import PresentServer

/// What the daemon asks its assistant for: one byte for the kind, then the fields, little-endian.
enum AssistantRequest: Equatable {
  /// The paths of the sockets whose access may be changed; only the first such request counts.
  case paths([String])
  /// The configuration file's records.
  case configuration(serial: UInt8)
  /// Who may connect to the sockets.
  case access(serial: UInt8, frames: SocketAccess, control: SocketAccess)

  static let mostBytes = 4096
  private static let noGroup = UInt32.max

  var bytes: [UInt8] {
    switch self {
    case .paths(let paths): [0x70] + Array(paths.joined(separator: "\0").utf8)
    case .configuration(let serial): [0x63, serial]
    case .access(let serial, let frames, let control):
      [0x61, serial] + Self.bytes(of: frames) + Self.bytes(of: control)
    }
  }

  private static func bytes(of access: SocketAccess) -> [UInt8] {
    let group: UInt32 = access.groupID ?? noGroup
    return withUnsafeBytes(of: access.mode.littleEndian) { Array($0) }
      + withUnsafeBytes(of: group.littleEndian) { Array($0) }
  }

  /// Eight bytes; nil for a mode that is none.
  private static func access(_ bytes: ArraySlice<UInt8>) -> SocketAccess? {
    var words: [UInt32] = [0, 0]
    for (index, byte) in bytes.enumerated() { words[index / 4] |= UInt32(byte) << UInt32(index % 4 * 8) }
    guard words[0] <= 0o777 else { return nil }
    return SocketAccess(mode: words[0], groupID: words[1] == noGroup ? nil : words[1])
  }

  /// Nil for anything else.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard let kind = bytes.first else { return nil }
    let rest = Array(bytes.dropFirst())
    switch (kind, rest.count) {
    case (0x70, 1...): self = .paths(rest.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
    case (0x63, 1): self = .configuration(serial: rest[0])
    case (0x61, 17):
      guard let frames = Self.access(rest[1..<9]), let control = Self.access(rest[9..<17]) else { return nil }
      self = .access(serial: rest[0], frames: frames, control: control)
    default: return nil
    }
  }
}
