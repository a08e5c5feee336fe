import Glibc
import LinuxIO
import Scanout
import VhostUserFrontend

/// A peer's backend with our guest, and the phases measured on it.
final class PeerMeasurement {
  private let name: String
  private let pid: Int32
  private let process: ChildProcess?
  private let folder: TemporaryFolder
  private let frontend: Frontend
  private let guest: BenchGuest

  init(_ peer: BenchPeer, width: Int, height: Int, runBytes: Int) throws(BenchError) {
    name = peer.name
    folder = try mapped { () throws(SystemError) in try TemporaryFolder(prefix: "framepath-peer") }
    let path: String
    switch peer {
    case .listening(let socket):
      path = socket
      process = nil
    case .program(_, let executable, let arguments):
      path = "\(folder.path)/peer.sock"
      var command = ChildCommand(executable, arguments + ["--socket-path=\(path)"])
      command.output = .null
      command.error = .file("\(folder.path)/peer.log")
      process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    }
    let connected = try BackendConnection.open(path, process, name: name)
    let ram = try mapped { () throws(SystemError) in
      try GuestRAM(byteCount: BenchGuest.ramBytes(width: width, height: height))
    }
    if let process {
      pid = process.pid
    } else {
      pid = try mapped { () throws(SystemError) in try connected.peerPID() }
    }
    frontend = try mapped { () throws(SystemError) in
      try Frontend(connected.take(), shape: .vhostUserGPU, ram: ram)
    }
    let mode = DisplayMode(width: width, height: height, refreshMillihertz: 60_000)
    frontend.monitor = GPUScreen.Monitor(
      width: width, height: height, edid: EDID.generate(EDID.Description(mode: mode, name: "bench", serial: 1)))
    guest = try BenchGuest(
      frontend, pictures: .images, width: width, height: height, runBytes: runBytes, backendName: name)
  }

  deinit {
    guest.end()
    process?.stop(timeoutMilliseconds: 2000)
  }

  /// Runs a load after a short warm-up, and measures its cost in the peer's backend.
  func phase(
    _ pace: BenchPace, _ change: FrameChange, _ nanoseconds: UInt64
  ) throws(BenchError) -> PhaseFigures {
    _ = try guest.run(pace, change, nanoseconds: 50_000_000)
    let sentBefore = try picturesSent()
    let before = try ProcessFigures(pid: pid, name: name)
    let ownBefore = threadCPUNanoseconds()
    let load = try guest.run(pace, change, nanoseconds: nanoseconds)
    let own = threadCPUNanoseconds() - ownBefore
    let used = try ProcessFigures(pid: pid, name: name).since(before)
    let frames = Double(max(load.frames, 1))
    let sent = try picturesSent() - sentBefore
    return PhaseFigures(
      frames: load.frames, seconds: Double(load.nanoseconds) / 1e9, framesPerSecond: load.framesPerSecond,
      backendMicroseconds: Double(used.cpuNanoseconds) / frames / 1000, daemonMicroseconds: 0,
      harnessMicroseconds: Double(own) / frames / 1000,
      switchesPerFrame: Double(used.voluntarySwitches + used.involuntarySwitches) / frames,
      wakeUpsPerFrame: Double(used.voluntarySwitches) / frames, presented: sent,
      flipped: sent, superseded: 0, rejected: 0, cpuCopies: 0, copiedBytes: 0, answer: Percentiles(load.answers))
  }

  /// Pictures that it has sent to its screen. They are sent before the guest's response, but perhaps not read yet.
  private func picturesSent() throws(BenchError) -> UInt64 {
    do throws(FrontendError) {
      try frontend.serveScreen()
    } catch {
      throw BenchError("\(name) closed its screen: \(error)")
    }
    guard let counters = frontend.screen?.counters else { return 0 }
    return UInt64(counters.updates + counters.bufferUpdates)
  }
}

/// A connection to a backend's socket that can be given away once.
final class BackendConnection {
  private var socket: UnixSocket?

  private init(_ socket: consuming UnixSocket) { self.socket = .some(socket) }

  func take() throws(SystemError) -> UnixSocket {
    guard let socket = socket.take() else { throw SystemError(call: "socket", code: EBADF, subject: "given away") }
    return socket
  }

  /// The process that listened.
  func peerPID() throws(SystemError) -> Int32 {
    guard let credentials = try socket?.peerCredentials() else {
      throw SystemError(call: "socket", code: EBADF, subject: "given away")
    }
    return credentials.pid
  }

  /// Retries until the backend listens, because it gives no other sign of being ready.
  ///
  /// - Parameter process: the backend; nil for one that must listen already.
  static func open(_ path: String, _ process: ChildProcess?, name: String) throws(BenchError) -> BackendConnection {
    let deadline = monotonicNanoseconds() + 10_000_000_000
    while monotonicNanoseconds() < deadline {
      do throws(SystemError) {
        return BackendConnection(try UnixSocket.connect(path, .stream))
      } catch {
        guard error.isNobodyListening else { throw BenchError("\(name): \(error)") }
      }
      guard let process else {
        throw BenchError("\(name) is not listening; one that ends with its guest can serve only one run of one size")
      }
      if let exit = process.waitForExit(timeoutMilliseconds: 0) { throw BenchError("\(name) has ended with \(exit)") }
      sleep(untilNanoseconds: monotonicNanoseconds() + 100_000)
    }
    throw BenchError("\(name) is not listening at \(path) after 10 s")
  }
}
