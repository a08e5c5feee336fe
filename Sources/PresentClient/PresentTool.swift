import Glibc
public import GraphicsMemory
import LinuxIO
public import PresentProtocol
public import StatusModel

/// A picture from the daemon.
public struct PresentSnapshot {
  /// XRGB8888 rows, mapped for reading.
  public let mapped: MappedBuffer
  /// Whether the hardware wrote it (a KMS writeback connector); else it was composed from the buffers on screen.
  public let fromWriteback: Bool
}

/// A command to the daemon, by its control socket.
public enum PresentCommand: Sendable {
  /// Changes settings, all or none.
  case settings([SettingRecord])
  /// Shows a VM on the output that it shares.
  case focus(vm: String)
  /// Takes an output from the client that holds it alone, or only from its lessee.
  case revoke(output: String, ofLease: Bool)
}

/// Blocking one-shot requests for tools to the control socket. Each makes its own connection and waits 5 s at most.
public enum PresentTool {
  static let answerNanoseconds: UInt64 = 5_000_000_000

  /// The daemon's status.
  ///
  /// - Throws: `.notConnected` without a daemon at `path`.
  public static func status(path: String = PresentSocket.defaultControlPath()) throws(PresentClientError)
    -> DaemonStatus
  {
    let json = try statusJSON(path: path)
    do throws(ReportError) { return try DaemonStatus(json: json) } catch { throw .failed(error.description) }
  }

  /// The daemon's status as JSON, unchanged (Docs/Protocol.md).
  ///
  /// - Throws: `.notConnected` without a daemon at `path`.
  public static func statusJSON(path: String = PresentSocket.defaultControlPath()) throws(PresentClientError) -> [UInt8]
  {
    try json(.status(request: 1), path)
  }

  /// The times of the last frames of every scanout.
  ///
  /// - Throws: `.notConnected` without a daemon at `path`.
  public static func trace(path: String = PresentSocket.defaultControlPath()) throws(PresentClientError) -> DaemonTrace
  {
    let json = try json(.trace(request: 1), path)
    do throws(ReportError) { return try DaemonTrace(json: json) } catch { throw .failed(error.description) }
  }

  private static func json(_ message: ClientMessage, _ path: String) throws(PresentClientError) -> [UInt8] {
    var fds = ReceivedFDs()
    guard case .statusReply(let byteCount, _) = try ask(message, path, &fds), let fd = fds.take(0) else {
      throw .failed("framepathd sent an unexpected answer")
    }
    return try read(fd, byteCount: byteCount)
  }

  /// A picture of a VM's scanout or of an output.
  ///
  /// - Throws: `.refused` for an unknown VM, scanout or output; the text lists those that exist.
  public static func snapshot(
    _ subject: SnapshotSubject, path: String = PresentSocket.defaultControlPath()
  ) throws(PresentClientError) -> PresentSnapshot {
    var fds = ReceivedFDs()
    guard case .snapshotReply(let reply, _) = try ask(.snapshot(subject, request: 1), path, &fds), let fd = fds.take(0)
    else { throw .failed("framepathd sent an unexpected answer to SNAPSHOT") }
    do throws(SystemError) {
      try requireSize(fd, reply.byteCount)
      let mapped = try MappedBuffer(
        fd: SharedFD(fd), kind: reply.memoryKind, layout: reply.layout, byteCount: Int(reply.byteCount))
      return PresentSnapshot(mapped: mapped, fromWriteback: reply.fromWriteback)
    } catch {
      throw .failed(error.description)
    }
  }

  /// Sends the daemon a command.
  ///
  /// - Throws: `.refused` with the reason; nothing has changed then.
  public static func perform(
    _ command: PresentCommand, path: String = PresentSocket.defaultControlPath()
  ) throws(PresentClientError) {
    var answerFDs = ReceivedFDs()
    let answer: ServerMessage
    switch command {
    case .settings(let records):
      guard (1...PresentLimits.settingCount).contains(records.count) else {
        throw .failed("\(records.count) settings records; a message has 1 to \(PresentLimits.settingCount)")
      }
      let file: SharedFD
      do throws(SystemError) { file = SharedFD(try SettingRecords.file(records)) } catch {
        throw .failed(error.description)
      }
      answer = try ask(.settings(count: records.count, request: 1), path, &answerFDs, sending: file)
    case .focus(let vm): answer = try ask(.focus(vm: vm, request: 1), path, &answerFDs)
    case .revoke(let output, let ofLease):
      answer = try ask(.revoke(output: output, ofLease: ofLease, request: 1), path, &answerFDs)
    }
    guard case .done = answer else { throw .failed("framepathd sent an unexpected answer to a command") }
  }

  private static func ask(
    _ message: ClientMessage, _ path: String, _ fds: inout ReceivedFDs, sending file: SharedFD? = nil
  ) throws(PresentClientError) -> ServerMessage {
    let connection = try connect(path, name: "tool", asking: message, sending: file)
    guard let answer = try answer(connection, &fds, within: answerNanoseconds) else { throw .timedOut }
    return answer
  }

  /// Connects as a tool with this name, and sends a message.
  static func connect(
    _ path: String, name: String, asking message: ClientMessage, sending file: SharedFD? = nil
  ) throws(PresentClientError) -> PresentConnection {
    let connection: PresentConnection
    do throws(SystemError) {
      connection = try PresentConnection.connect(path)
    } catch {
      if error.isBusy { throw .timedOut }
      throw .notConnected(
        error.isNobodyListening ? "framepathd is not running at \(path)" : "cannot connect to framepathd: \(error)")
    }
    do {
      guard try connection.send(.hello(Hello(kind: .tool, name: name, scanoutCount: 0))),
        try connection.send(message, fds: file.map { [$0.raw] } ?? [])
      else { throw PresentClientError.timedOut }
    } catch let error as PresentClientError {
      throw error
    } catch {
      throw .failed("\(error)")
    }
    return connection
  }

  /// The daemon's next message after WELCOME; nil if there is none in time.
  static func answer(
    _ connection: PresentConnection, _ fds: inout ReceivedFDs, within nanoseconds: UInt64
  ) throws(PresentClientError) -> ServerMessage? {
    let deadline = monotonicNanoseconds() + nanoseconds
    do {
      while true {
        while let answer = try connection.receiveServerMessage(fds: &fds) {
          switch answer {
          case .welcome: continue
          case .error(let error, request: _): throw PresentClientError.refused(error)
          default: return answer
          }
        }
        guard try connection.wait(for: .readable, until: deadline) else { return nil }
      }
    } catch let error as PresentClientError {
      throw error
    } catch {
      throw .failed("\(error)")
    }
  }

  static func read(_ fd: borrowing OwnedFD, byteCount: UInt64) throws(PresentClientError) -> [UInt8] {
    do throws(SystemError) {
      try requireSize(fd, byteCount)
      let mapping = try Mapping(fd: fd.raw, byteCount: Int(byteCount), writable: false)
      return Array(mapping.bytes)
    } catch {
      throw .failed(error.description)
    }
  }

  private static func requireSize(_ fd: borrowing OwnedFD, _ byteCount: UInt64) throws(SystemError) {
    guard byteCount > 0, byteCount <= 1 << 40, try fd.byteCount() >= Int(byteCount) else {
      throw SystemError(call: "answer", code: EINVAL, subject: "it has fewer than the announced \(byteCount) bytes")
    }
  }
}
