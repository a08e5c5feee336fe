import Glibc
public import LinuxIO

/// A displayed frame, as reported by the kernel.
public struct DisplayedFrame: Equatable, Sendable {
  /// The CRTC's count of vblanks.
  public var vblank: UInt32
  /// The CRC of the picture.
  public var crc: UInt32
}

/// The kernel's CRC of every displayed frame of the first card's first CRTC: an outside witness of what was on screen
/// (debugfs, `dri/0/crtc-0/crc`).
public struct FrameCRCs: ~Copyable {
  private let data: OwnedFD
  private static let folder = "/sys/kernel/debug/dri/0/crtc-0/crc"

  /// Whether the driver supports CRCs; vkms does.
  public static var isThere: Bool { LinuxFile.status("\(folder)/control") != nil }

  /// Enables the CRCs while this object lives.
  public init() throws(SystemError) {
    let control = try OwnedFD.open("\(FrameCRCs.folder)/control", flags: O_WRONLY)
    let source = Array("auto\n".utf8)
    guard write(control.raw, source, source.count) == source.count else {
      throw SystemError(call: "write", code: errno, subject: "\(FrameCRCs.folder)/control")
    }
    data = try OwnedFD.open("\(FrameCRCs.folder)/data", flags: O_RDONLY | O_NONBLOCK)
  }

  /// The CRCs since the last call, in order. The kernel keeps 128, so call it often.
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
