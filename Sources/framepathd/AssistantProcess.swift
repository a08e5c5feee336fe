import LinuxIO
import PresentServer

/// The daemon's assistant: it does what the daemon's sandbox forbids and a reload of the configuration needs.
///
/// It runs framepathd-config, and changes who may connect to the two sockets; nothing else. Its only input is the
/// daemon. It ends with it.
struct AssistantProcess: ~Copyable {
  private let socket: UnixSocket
  private let file: ConfigurationFile
  private var paths: [String] = []

  /// The descriptor on which the daemon asks.
  static let descriptor: Int32 = 3

  /// The assistant for a daemon with this configuration file.
  init(config: String) throws {
    socket = UnixSocket(taking: OwnedFD(taking: AssistantProcess.descriptor))
    try socket.fd.setCloseOnExec()
    file = try ConfigurationFile(config)
  }

  /// Answers until the daemon ends.
  mutating func run() throws {
    // The daemon's signals are not for it: a terminal sends them to both.
    let signals = try SignalFD([SignalFD.reloadSignal, SignalFD.interruptSignal])
    defer { withExtendedLifetime(signals.fd.raw) {} }
    var buffer = [UInt8](repeating: 0, count: AssistantRequest.mostBytes)
    while true {
      var fds = ReceivedFDs()
      let result = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0, fds: &fds) }
      guard case .bytes(let count) = result else { return }
      switch AssistantRequest(buffer[..<count]) {
      case .paths(let paths): if self.paths.isEmpty { self.paths = paths }
      case .configuration(let serial):
        do { try answer(serial, "", file.readRecords()) } catch { try answer(serial, "\(error)") }
      case .access(let serial, let frames, let control):
        do {
          for (path, access) in zip(paths, [frames, control]) { try access.apply(to: path) }
          try answer(serial, "")
        } catch let error as SystemError { try answer(serial, "\(error)") }
      case nil: return
      }
    }
  }

  /// An answer: the request's number, and the error's text if there was one.
  private func answer(_ serial: UInt8, _ error: String, _ records: SharedFD? = nil) throws {
    let bytes = [serial] + Array(error.utf8.prefix(AssistantRequest.mostBytes - 1))
    _ = try bytes.withUnsafeBytes { try socket.send($0, fds: records.map { [$0.raw] } ?? []) }
  }
}
