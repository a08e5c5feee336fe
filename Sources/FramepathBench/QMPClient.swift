import LinuxIO

/// QEMU's monitor (QMP), limited to the needs of a display's client.
final class QMPClient {
  private let socket: UnixSocket

  /// Connects as soon as QEMU listens.
  init(_ path: String, _ qemu: ChildProcess, log: String) throws(BenchError) {
    socket = try LabControl.connect(path, qemu, log: log)
    _ = try line()
    try run("{\"execute\":\"qmp_capabilities\"}")
  }

  /// Passes QEMU a connected socket as a display's client.
  func addClient(_ protocolName: String, _ fd: Int32) throws(BenchError) {
    try run("{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"client\"}}", fds: [fd])
    try run(
      "{\"execute\":\"add_client\",\"arguments\":{\"protocol\":\"\(protocolName)\",\"fdname\":\"client\"}}")
  }

  private func run(_ command: String, fds: [Int32] = []) throws(BenchError) {
    try SocketBytes.send(socket, Array("\(command)\n".utf8), fds: fds, "QEMU's monitor")
    while true {
      let answer = try line()
      if answer.hasPrefix("{\"return\"") { return }
      // Events come in between.
      guard answer.hasPrefix("{\"error\"") else { continue }
      throw BenchError("QEMU's monitor answered \(command): \(answer)")
    }
  }

  private func line() throws(BenchError) -> String {
    var bytes: [UInt8] = []
    while bytes.last != 0x0A { bytes += try SocketBytes.receive(socket.fd.raw, 1, "QEMU's monitor") }
    return String(decoding: bytes.dropLast(), as: UTF8.self)
  }
}
