import LinuxIO

/// The lab guest's control socket: sends a line to its shell and returns the output.
final class LabControl {
  private let socket: UnixSocket

  /// Connects as soon as QEMU listens.
  init(_ path: String, _ qemu: ChildProcess, log: String) throws(BenchError) {
    socket = try LabControl.connect(path, qemu, log: log)
  }

  /// Connects to one of QEMU's sockets as soon as it listens.
  static func connect(_ path: String, _ qemu: ChildProcess, log: String) throws(BenchError) -> UnixSocket {
    let deadline = monotonicNanoseconds() + 20_000_000_000
    while true {
      do throws(SystemError) {
        return try UnixSocket.connect(path, .stream)
      } catch {
        guard error.isNobodyListening, monotonicNanoseconds() < deadline else { throw BenchError(error) }
      }
      if let exit = qemu.waitForExit(timeoutMilliseconds: 0) {
        throw BenchError("QEMU has ended with \(exit): \(LinuxFile.text(log) ?? "")")
      }
      HostProcess.sleep(milliseconds: 20)
    }
  }

  /// Runs a command in the guest, waiting for the guest to be up; a viewer is served meanwhile.
  func run(_ command: String, _ viewer: (any GuestViewer)?) throws(BenchError) -> String {
    try SocketBytes.send(socket, Array("\(command)\n".utf8), "QEMU")
    var text: [UInt8] = []
    let end = Array("\n%%fp-end ".utf8)
    let deadline = monotonicNanoseconds() + 120_000_000_000
    while true {
      if let place = SocketBytes.find(end, in: text), text[(place + end.count)...].contains(0x0A) {
        return String(decoding: text[..<place], as: UTF8.self)
      }
      guard monotonicNanoseconds() < deadline else { throw BenchError("the guest did not answer within two minutes") }
      let ready = try mapped { () throws(SystemError) in
        try waitUntilEitherReady(socket.fd.raw, viewer?.descriptor ?? -1, timeoutMilliseconds: 500)
      }
      if ready.second { try viewer?.serve() }
      if ready.first { text += try SocketBytes.some(socket.fd.raw, "QEMU") }
    }
  }
}
