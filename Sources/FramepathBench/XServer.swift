import LinuxIO
import VhostUser

/// An Xvfb process and a client's connection to it, with X11 messages and no library.
///
/// Supports only what showing one picture on the root window needs (X protocol 11; MIT-SHM 1.2 for descriptors).
final class XServer {
  let rootWindow: UInt32
  let rootDepth: UInt8
  let process: ChildProcess
  private let socket: UnixSocket
  private let resourceBase: UInt32
  private var sharedMemoryOpcode: UInt8 = 0
  private var completionEvent: UInt8 = 0

  private var graphicsContext: UInt32 { resourceBase }
  private var segment: UInt32 { resourceBase + 1 }

  /// Starts Xvfb; nil if it is not installed.
  init?(width: Int, height: Int) throws(BenchError) {
    let folders = (environmentVariable("PATH") ?? "/usr/bin").split(separator: ":")
    guard let folder = folders.first(where: { LinuxFile.isAccessible("\($0)/Xvfb", .execute) }) else { return nil }
    var command = ChildCommand(
      "\(folder)/Xvfb",
      ["-displayfd", "1", "-screen", "0", "\(width)x\(height)x24", "-nolisten", "tcp", "-noreset", "-terminate"])
    command.error = .null
    process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    guard let line = process.readLine(from: .output), let display = Int(line) else {
      throw BenchError("Xvfb did not become ready")
    }
    let socket = try mapped { () throws(SystemError) in
      try UnixSocket.connect("/tmp/.X11-unix/X\(display)", .stream)
    }
    // Little-endian, protocol 11.0, no authorization.
    try SocketBytes.send(socket, [0x6C, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0], "Xvfb")
    let head = try SocketBytes.receive(socket.fd.raw, 8, "Xvfb")
    guard head[0] == 1 else { throw BenchError("Xvfb refused the connection") }
    let body = try SocketBytes.receive(socket.fd.raw, 4 * SocketBytes.little(head, 6, 2), "Xvfb")
    guard body.count >= 32 else { throw BenchError("Xvfb sent an invalid connection setup of \(body.count) bytes") }
    resourceBase = UInt32(SocketBytes.little(body, 4, 4))
    let vendorBytes = (SocketBytes.little(body, 16, 2) + 3) / 4 * 4
    let screen = 32 + vendorBytes + 8 * Int(body[21])
    guard body.count >= screen + 40 else { throw BenchError("Xvfb has no screen") }
    rootWindow = UInt32(SocketBytes.little(body, screen, 4))
    rootDepth = body[screen + 38]
    self.socket = socket
    try begin()
  }

  deinit { process.stop(timeoutMilliseconds: 2000) }

  private func begin() throws(BenchError) {
    try send([98, 0] + short(4) + short(7) + short(0) + Array("MIT-SHM".utf8) + [0])
    let answer = try reply()
    guard answer[8] == 1 else { throw BenchError("Xvfb does not support MIT-SHM") }
    sharedMemoryOpcode = answer[9]
    completionEvent = answer[10]
    try send([55, 0] + short(4) + long(graphicsContext) + long(rootWindow) + long(0))
  }

  /// Shares memory with the server (ShmAttachFd).
  func attach(_ fd: SharedFD) throws(BenchError) {
    // The server takes over a descriptor of its own.
    try send([sharedMemoryOpcode, 6] + short(3) + long(segment) + long(0), fds: [fd.raw])
  }

  /// Puts the shared picture on the root window, and waits until the server has read it (ShmPutImage).
  func put(width: Int, height: Int) throws(BenchError) {
    let size = short(UInt16(width)) + short(UInt16(height))
    var request = [sharedMemoryOpcode, 3] + short(10) + long(rootWindow) + long(graphicsContext)
    request += size + short(0) + short(0) + size + short(0) + short(0) + [rootDepth, 2, 1, 0] + long(segment) + long(0)
    try send(request)
    while true {
      let event = try message()
      if event[0] & 0x7F == completionEvent { return }
    }
  }

  /// The root window's pixels (GetImage, ZPixmap).
  func image(width: Int, height: Int) throws(BenchError) -> [UInt8] {
    var request: [UInt8] = [73, 2] + short(5) + long(rootWindow) + short(0) + short(0)
    request += short(UInt16(width)) + short(UInt16(height)) + long(0xFFFF_FFFF)
    try send(request)
    let head = try reply()
    return try SocketBytes.receive(socket.fd.raw, 4 * SocketBytes.little(head, 4, 4), "Xvfb")
  }

  // MARK: Messages

  private func reply() throws(BenchError) -> [UInt8] {
    while true {
      let bytes = try message()
      if bytes[0] == 1 { return bytes }
    }
  }

  /// A 32-byte event or the start of a reply; throws X errors.
  private func message() throws(BenchError) -> [UInt8] {
    let bytes = try SocketBytes.receive(socket.fd.raw, 32, "Xvfb")
    guard bytes[0] != 0 else { throw BenchError("Xvfb answered request \(bytes[10]) with error \(bytes[1])") }
    return bytes
  }

  private func send(_ bytes: [UInt8], fds: [Int32] = []) throws(BenchError) {
    try SocketBytes.send(socket, bytes, fds: fds, "Xvfb")
  }

  private func short(_ value: UInt16) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
  private func long(_ value: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    return bytes
  }
}
