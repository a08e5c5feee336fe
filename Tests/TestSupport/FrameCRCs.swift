import Glibc
public import LinuxIO

/// The kernel's CRC of every displayed frame of a card's first CRTC (debugfs, drm_debugfs_crc.c): a judge that is no
/// part of this project.
public struct FrameCRCs: ~Copyable {
  private let data: OwnedFD
  private static let folder = "/sys/kernel/debug/dri/0/crtc-0/crc"

  /// Whether the card gives CRCs.
  public static var isThere: Bool { LinuxFile.status("\(folder)/control") != nil }

  /// Starts the CRCs of a CRTC that shows something.
  public init() throws {
    try writeKernelFile("auto\n", to: "\(FrameCRCs.folder)/control")
    data = try OwnedFD.open("\(FrameCRCs.folder)/data", flags: O_RDONLY | O_NONBLOCK)
  }

  /// The CRCs of the frames since the last call, in order; the kernel keeps 128.
  public func drain() -> [UInt32] {
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe read(data.raw, &chunk, chunk.count)
      if count <= 0 { break }
      text += chunk[..<count]
    }
    // A line is the frame's number and the CRC, "0x…" both; it ends with a line feed and a zero byte.
    return String(decoding: text.filter { $0 != 0 }, as: UTF8.self).split(separator: "\n").compactMap { line in
      line.split(separator: " ").last.flatMap { UInt32($0.dropFirst(2), radix: 16) }
    }
  }
}

/// Writes a file of sysfs, configfs or debugfs in one call.
public func writeKernelFile(_ text: String, to path: String) throws(SystemError) {
  let file = try OwnedFD.open(path, flags: O_WRONLY)
  let bytes = Array(text.utf8)
  guard unsafe write(file.raw, bytes, bytes.count) == bytes.count else {
    throw SystemError(call: "write", code: errno, subject: path)
  }
}
