import LinuxIO

/// A viewer of a guest's screen through QEMU.
protocol GuestViewer: AnyObject {
  /// Updates with pixels so far.
  var pictures: Int { get }
  /// Readable when messages are available.
  var descriptor: Int32 { get }
  /// Receives available messages.
  func serve() throws(BenchError)
}

/// A VNC viewer that requests every change in raw encoding and discards the pixels (RFB 3.8).
final class VNCViewer: GuestViewer {
  /// Updates with pixels so far.
  private(set) var pictures = 0
  var descriptor: Int32 { socket.fd.raw }
  private let socket: UnixSocket
  private let bytesPerPixel: Int
  private var width: Int
  private var height: Int

  init(_ path: String) throws(BenchError) {
    // QEMU opens its displays after its other sockets.
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while LinuxFile.status(path) == nil, monotonicNanoseconds() < deadline { HostProcess.sleep(milliseconds: 20) }
    let socket = try mapped { () throws(SystemError) in try UnixSocket.connect(path, .stream) }
    let fd = socket.fd.raw
    _ = try SocketBytes.receive(fd, 12, "QEMU's VNC")
    try SocketBytes.send(socket, Array("RFB 003.008\n".utf8), "QEMU's VNC")
    let count = try SocketBytes.receive(fd, 1, "QEMU's VNC")[0]
    _ = try SocketBytes.receive(fd, Int(count), "QEMU's VNC")
    try SocketBytes.send(socket, [1], "QEMU's VNC")
    guard try SocketBytes.receive(fd, 4, "QEMU's VNC") == [0, 0, 0, 0] else {
      throw BenchError("QEMU's VNC refuses connections without authentication")
    }
    try SocketBytes.send(socket, [1], "QEMU's VNC")
    let head = try SocketBytes.receive(fd, 24, "QEMU's VNC")
    width = SocketBytes.big(head, 0, 2)
    height = SocketBytes.big(head, 2, 2)
    bytesPerPixel = Int(head[4]) / 8
    _ = try SocketBytes.receive(fd, SocketBytes.big(head, 20, 4), "QEMU's VNC")
    // SetEncodings: raw and DesktopSize.
    try SocketBytes.send(socket, [2, 0, 0, 2, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x21], "QEMU's VNC")
    self.socket = socket
    try request(isIncremental: false)
  }

  /// Receives one message, and requests the next change.
  func serve() throws(BenchError) {
    let fd = socket.fd.raw
    switch try SocketBytes.receive(fd, 1, "QEMU's VNC")[0] {
    case 0:
      let head = try SocketBytes.receive(fd, 3, "QEMU's VNC")
      var hasPixels = false
      var isNew = false
      for _ in 0..<SocketBytes.big(head, 1, 2) {
        let rect = try SocketBytes.receive(fd, 12, "QEMU's VNC")
        let (w, h) = (SocketBytes.big(rect, 4, 2), SocketBytes.big(rect, 6, 2))
        if SocketBytes.big(rect, 8, 4) == 0 {
          try SocketBytes.skip(fd, w * h * bytesPerPixel, "QEMU's VNC")
          hasPixels = hasPixels || w * h > 0
        } else {
          (width, height) = (w, h)
          isNew = true
        }
      }
      if hasPixels { pictures += 1 }
      try request(isIncremental: !isNew)
    case 2: break
    case 3:
      let head = try SocketBytes.receive(fd, 7, "QEMU's VNC")
      try SocketBytes.skip(fd, SocketBytes.big(head, 3, 4), "QEMU's VNC")
    case let other: throw BenchError("QEMU's VNC sends message \(other)")
    }
  }

  private func request(isIncremental: Bool) throws(BenchError) {
    let size = [UInt8(width >> 8), UInt8(width & 0xFF), UInt8(height >> 8), UInt8(height & 0xFF)]
    try SocketBytes.send(socket, [3, isIncremental ? 1 : 0, 0, 0, 0, 0] + size, "QEMU's VNC")
  }
}
