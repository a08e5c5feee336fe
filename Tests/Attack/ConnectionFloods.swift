import LinuxIO
import PresentProtocol

extension Attack {
  /// Many connections, and HELLOs that are refused.
  static let connectionFloods = [
    Attack(name: "bad-hello", what: "connects, sends a HELLO that is malformed, closes") { stage in
      // A header of type 1 whose size is not that of HELLO; the magic number is wrong.
      let bytes: [UInt8] = [1, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 3, 0, 0, 0, 1, 0, 0, 0]
      return try stage.withClients {
        0
      } _: { _ in
        let socket = try HostileSocket(stage)
        try socket.send(bytes)
      }
    },
    // S7: who says nothing must not keep others out. 256 is the limit for a process.
    Attack(name: "mute", what: "250 connections without a HELLO, renewed when they are ended") { stage in
      let sockets = MuteConnections()
      var count = 0
      while !stage.isOver { count += try sockets.fill(250, stage) }
      return count
    },
    // S8: whatever is done for each head that goes must not be done for each that stays.
    Attack(name: "heads-leave", what: "640 parked heads of 40 clients that leave at once") { stage in
      var clients: [HostileClient] = []
      let connect = {
        for index in 0..<40 where !(clients.count > 0 && stage.isOver) {
          if let client = try? HostileClient(stage, "evil\(index)", scanouts: 16) { clients.append(client) }
        }
      }
      connect()
      var count = 0
      while !stage.isOver {
        count += clients.count * 16
        clients = []
        connect()
      }
      return count
    },
    Attack(name: "heads-present", what: "320 parked heads of 20 clients present without end") { stage in
      let clients = try (0..<20).map { index in
        let client = try HostileClient(stage, "evil\(index)", scanouts: 16)
        for scanout in 0..<16 {
          try client.insist(client.buffer(UInt32(scanout + 1), scanout: scanout, width: 64, height: 64))
        }
        return client
      }
      var count = 0
      while !stage.isOver {
        for client in clients {
          for scanout in 0..<16 {
            try client.send(client.present(UInt32(scanout + 1), scanout: scanout, width: 64, height: 64))
          }
          try client.receive(milliseconds: 0)
          count += 16
        }
      }
      return count
    },
    // S9, S10: the names reach a log and other errors.
    Attack(name: "names", what: "HELLOs with control characters, wrong outputs and the victim's name") { stage in
      let names = [
        "victim", "vi\u{1B}[2Jctim", "victim\n", " victim", "vict\u{202E}im", "victim\u{2028}", "victim\u{9B}2J",
        "evil",
      ]
      let outputs = ["\u{1B}[2J\nframepathd: FORGED", "HDMI-A-9", "\u{9B}2J", "\u{202E}x"]
      return try stage.withClients {
        0
      } _: { _ in
        guard let connection = try? PresentConnection.connect(stage.socket, timeoutMilliseconds: 1000) else {
          throw Ended()
        }
        let hello = Hello(
          kind: .container, name: names[stage.number(below: names.count)], scanoutCount: 1,
          outputs: [outputs[stage.number(below: outputs.count)]])
        _ = try? connection.send(.hello(hello))
        var fds = ReceivedFDs()
        _ = try waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: 20)
        _ = try? connection.receiveServerMessage(fds: &fds)
      }
    },
  ]
}

/// Connections that say nothing.
private final class MuteConnections {
  private var connections: [PresentConnection] = []

  /// Replaces those that the daemon has ended; returns how many were new.
  func fill(_ count: Int, _ stage: AttackStage) throws -> Int {
    connections.removeAll { connection in
      var fds = ReceivedFDs()
      do { return try connection.receiveServerMessage(fds: &fds) != nil } catch { return true }
    }
    let missing = count - connections.count
    for _ in 0..<missing {
      guard let connection = try? PresentConnection.connect(stage.socket, timeoutMilliseconds: 100) else { break }
      connections.append(connection)
    }
    HostProcess.sleep(milliseconds: 5)
    return missing
  }
}
