import LinuxIO

/// A client of QEMU's D-Bus display: it receives every change of the first console, by shared memory if QEMU offers it,
/// else through the socket, and reads no pixel.
///
/// Peer to peer: QEMU gets a socket through its monitor for D-Bus, and sends the pictures over a second one, the
/// listener's.
final class DBusViewer: GuestViewer {
  private static let name = "QEMU's D-Bus display"
  private static let console = "org.qemu.Display1.Console"

  private(set) var pictures = 0
  /// Whether pictures come as shared memory.
  private(set) var sharesMemory = false
  var descriptor: Int32 { listener.socket.fd.raw }
  private let display: DBusChannel
  private let listener: DBusChannel

  /// Registers with a QEMU that has `-display dbus,p2p=yes`.
  init(_ monitor: QMPClient) throws(BenchError) {
    let pair = try mapped { () throws(SystemError) in try UnixSocket.pair(.stream) }
    try monitor.addClient("@dbus-display", pair.second.fd.raw)
    display = DBusChannel(pair.first, name: DBusViewer.name)
    try display.authenticate()
    let second = try mapped { () throws(SystemError) in try UnixSocket.pair(.stream) }
    var call = DBusMessage(
      call: "RegisterListener", of: DBusViewer.console, at: "/org/qemu/Display1/Console_0", serial: 1)
    call.signature = "h"
    call.descriptorCount = 1
    call.body = [0, 0, 0, 0]
    try display.send(call, fds: [second.second.fd.raw])
    listener = DBusChannel(second.first, name: DBusViewer.name)
    // The same as QEMU's own check.
    try listener.authenticate()
    try waitForAnswer(to: call)
  }

  /// Receives and answers available messages.
  func serve() throws(BenchError) { for message in try listener.receive() { try handle(message) } }

  /// QEMU reads the listener's properties before or after it answers.
  private func waitForAnswer(to call: DBusMessage) throws(BenchError) {
    let deadline = monotonicNanoseconds() + 5_000_000_000
    while monotonicNanoseconds() < deadline {
      let ready = try mapped { () throws(SystemError) in
        try waitUntilEitherReady(display.socket.fd.raw, listener.socket.fd.raw, timeoutMilliseconds: 500)
      }
      if ready.second { try serve() }
      guard ready.first else { continue }
      for message in try display.receive() where message.replySerial == call.serial {
        if message.kind == .reply { return }
        throw BenchError("\(DBusViewer.name) refused the listener: \(String(decoding: message.body, as: UTF8.self))")
      }
    }
    throw BenchError("\(DBusViewer.name) does not answer")
  }

  private func handle(_ message: DBusMessage) throws(BenchError) {
    guard message.kind == .call else { return }
    switch message.member {
    case "Scanout", "Update", "UpdateMap", "UpdateDMABUF": pictures += 1
    case "ScanoutMap": sharesMemory = true
    default: break
    }
    if message.wantsNoReply { return }
    var reply = DBusMessage(replyTo: message, serial: listener.nextSerial())
    if message.member == "GetAll" {
      reply.signature = "a{sv}"
      reply.body = DBusViewer.properties
    }
    try listener.send(reply)
  }

  /// `{"Interfaces": ["org.qemu.Display1.Listener.Unix.Map"]}`: the optional interfaces of this listener.
  private static let properties: [UInt8] = {
    let (key, interface) = ("Interfaces", "org.qemu.Display1.Listener.Unix.Map")
    var text = DBusBytes()
    text.add(interface)
    var entry = DBusBytes()
    entry.add(key)
    entry.bytes += [2] + Array("as".utf8) + [0]
    entry.add(UInt32(text.bytes.count))
    entry.bytes += text.bytes
    var body = DBusBytes()
    body.add(UInt32(entry.bytes.count))
    // The entry begins at a multiple of 8.
    body.add(UInt32(0))
    return body.bytes + entry.bytes
  }()
}

/// Values in a row, each at a multiple of its size.
private struct DBusBytes {
  var bytes: [UInt8] = []

  mutating func add(_ value: UInt32) {
    while bytes.count % 4 != 0 { bytes.append(0) }
    for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
  }

  mutating func add(_ text: String) {
    add(UInt32(text.utf8.count))
    bytes += Array(text.utf8) + [0]
  }
}

/// One D-Bus connection without a bus.
final class DBusChannel {
  let socket: UnixSocket
  private let name: String
  private var received: [UInt8] = []
  private var lastSerial: UInt32 = 0
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)

  init(_ socket: consuming UnixSocket, name: String) {
    self.socket = socket
    self.name = name
  }

  func nextSerial() -> UInt32 {
    lastSerial += 1
    return lastSerial
  }

  func send(_ message: DBusMessage, fds: [Int32] = []) throws(BenchError) {
    try SocketBytes.send(socket, message.encoded, fds: fds, name)
  }

  /// The complete messages received so far; their descriptors are closed.
  func receive() throws(BenchError) -> [DBusMessage] {
    try fill()
    var messages: [DBusMessage] = []
    var start = 0
    while received.count - start >= DBusMessage.fixedByteCount {
      guard let count = DBusMessage.byteCount(received[start...]) else {
        throw BenchError("\(name) does not speak D-Bus")
      }
      guard received.count - start >= count else { break }
      guard let message = DBusMessage(Array(received[start..<(start + count)])) else {
        throw BenchError("\(name) does not speak D-Bus")
      }
      messages.append(message)
      start += count
    }
    received.removeFirst(start)
    return messages
  }

  private func fill() throws(BenchError) {
    var fds = ReceivedFDs()
    let result: Result<ReceiveResult, SystemError> = unsafe buffer.withUnsafeMutableBytes { space in
      do throws(SystemError) {
        return .success(try unsafe socket.receive(into: space, fds: &fds))
      } catch { return .failure(error) }
    }
    switch result {
    case .success(.bytes(let count)): received += buffer[..<count]
    case .success(.wouldBlock): break
    case .success: throw BenchError("\(name) has ended")
    case .failure(let error): throw BenchError("\(name): \(error)")
    }
  }

  // MARK: Before the first message

  /// The socket provides our credentials.
  func authenticate() throws(BenchError) {
    try mapped { () throws(SystemError) in try socket.sendCredentials(true) }
    try say("\0AUTH EXTERNAL \(DBusChannel.identity)")
    try mapped { () throws(SystemError) in try socket.sendCredentials(false) }
    let answer = try line()
    guard answer.hasPrefix("OK") else { throw BenchError("\(name) refused authentication: \(answer)") }
    try say("NEGOTIATE_UNIX_FD")
    guard try line() == "AGREE_UNIX_FD" else { throw BenchError("\(name) does not accept descriptors") }
    try say("BEGIN")
  }

  /// This user's number, its digits in hexadecimal.
  private static var identity: String {
    "\(currentUserID())".utf8.map { String($0, radix: 16) }.joined()
  }

  private func say(_ text: String) throws(BenchError) {
    try SocketBytes.send(socket, Array("\(text)\r\n".utf8), name)
  }

  /// Byte by byte, because a message may follow the last line.
  private func line() throws(BenchError) -> String {
    var bytes: [UInt8] = []
    while bytes.last != 0x0A { bytes += try SocketBytes.receive(socket.fd.raw, 1, name) }
    return String(decoding: bytes.dropLast(2), as: UTF8.self)
  }
}
