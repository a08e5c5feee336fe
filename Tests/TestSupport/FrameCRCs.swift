import Glibc
public import LinuxIO

/// A frame that was put out, by the kernel's word.
public struct DisplayedFrame: Equatable, Sendable {
  /// The CRTC's count of vblanks.
  public var vblank: UInt32
  /// Of the picture.
  public var crc: UInt32
}

/// The kernel's CRC of every displayed frame of the first card's first CRTC: an outside witness of what was on screen
/// (debugfs, `dri/0/crtc-0/crc`).
public struct FrameCRCs: ~Copyable {
  private let data: OwnedFD
  private static let folder = "/sys/kernel/debug/dri/0/crtc-0/crc"

  /// Whether the driver has them; vkms does.
  public static var isThere: Bool { LinuxFile.status("\(folder)/control") != nil }

  /// Begins; they are made while this lives.
  public init() throws(SystemError) {
    let control = try OwnedFD.open("\(FrameCRCs.folder)/control", flags: O_WRONLY)
    let source = Array("auto\n".utf8)
    guard write(control.raw, source, source.count) == source.count else {
      throw SystemError(call: "write", code: errno, subject: "\(FrameCRCs.folder)/control")
    }
    data = try OwnedFD.open("\(FrameCRCs.folder)/data", flags: O_RDONLY | O_NONBLOCK)
  }

  /// Those that came since the last call, in order. The kernel keeps 128: ask often.
  public func drain() -> [DisplayedFrame] {
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(data.raw, &chunk, chunk.count)
      if count <= 0 { break }
      text += chunk[..<count]
    }
    // A line is the frame's number and its CRC, "0x… 0x…"; each ends with a line feed and a zero byte.
    return text.split { $0 == 0x0a || $0 == 0 }.compactMap { line in
      let numbers = String(decoding: line, as: UTF8.self).split(separator: " ").map {
        UInt32($0.dropFirst(2), radix: 16)
      }
      guard numbers.count == 2, let vblank = numbers[0], let crc = numbers[1] else { return nil }
      return DisplayedFrame(vblank: vblank, crc: crc)
    }
  }
}
