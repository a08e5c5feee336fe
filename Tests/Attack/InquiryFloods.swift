import LinuxIO
import PresentProtocol

extension Attack {
  /// Questions, and clients that do not read the answers.
  static let inquiryFloods = [
    Attack(name: "status", what: "STATUS without end") { stage in
      try ask(stage) { .status(request: $0.nextRequest()) }
    },
    Attack(name: "trace", what: "TRACE without end") { stage in
      try ask(stage) { .trace(request: $0.nextRequest()) }
    },
    Attack(name: "snapshot", what: "SNAPSHOT of the own picture of 1280x720 without end") { stage in
      try ask(stage) { .snapshot(.vm(name: "evil", scanout: 0), request: $0.nextRequest()) }
    },
    Attack(name: "unread", what: "STATUS, SNAPSHOT and CREATE_BUFFER of 20 clients that never read") { stage in
      let step = { (client: HostileClient) in
        for message in [
          client.buffer(UInt32(stage.number(below: 200)) + 1, width: 64, height: 64), .status(request: 1),
          .snapshot(.vm(name: "evil", scanout: 0), request: 2),
        ] {
          guard try client.send(message) else { return HostProcess.sleep(milliseconds: 1) }
        }
      }
      var clients: [HostileClient?] = Array(repeating: nil, count: 20)
      var count = 0
      while !stage.isOver {
        let place = count % clients.count
        count += 1
        do {
          let client = try clients[place] ?? HostileClient(stage, "evil\(place)")
          clients[place] = client
          try step(client)
        } catch is Ended {
          clients[place] = nil
        }
      }
      return count
    },
  ]

  /// Shows a picture, and asks as fast as the daemon takes it.
  private static func ask(_ stage: AttackStage, _ message: (HostileClient) -> ClientMessage) throws -> Int {
    try stage.withClients {
      let client = try HostileClient(stage, "evil")
      try client.insist(client.buffer(1, width: 1280, height: 720))
      try client.insist(client.present(1, width: 1280, height: 720))
      return client
    } _: { client in
      try client.insist(message(client))
      try client.receive(milliseconds: 0)
    }
  }
}
