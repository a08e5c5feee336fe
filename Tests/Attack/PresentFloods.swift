import LinuxIO
import PresentProtocol
import Scanout

extension Attack {
  /// Messages about frames.
  static let presentFloods = [
    Attack(name: "present", what: "PRESENT without end, 16 rectangles of damage each") { stage in
      var damage = DamageRegion()
      for index in 0..<16 { damage.add(Rect(x: index * 40, y: index * 20, width: 4, height: 4)) }
      return try stage.withClients {
        try drawing(stage, AttackStage.output)
      } _: { client in
        try client.insist(
          client.present(UInt32(stage.number(below: 2) + 1), width: 1280, height: 720, damage: .region(damage)))
        try client.receive(milliseconds: 0)
      }
    },
    // S1: the counters of a client beside those of the daemon, which composes.
    Attack(name: "counters", what: "PRESENT with the greatest numbers of copies and bytes, composed") { stage in
      var turn = 0
      return try stage.withClients {
        try drawing(stage, AttackStage.tiledOutput)
      } _: { client in
        turn += 1
        // Beyond 2^50 it is malformed: the client is ended, and the next one goes on.
        let bytes: UInt64 = turn % 64 == 0 ? .max : 1 << 50
        try client.insist(client.present(1, width: 1280, height: 720, copies: .max, copiedBytes: bytes))
        try client.receive(milliseconds: 1)
      }
    },
    Attack(name: "cursor", what: "CURSOR without end on a composed picture") { stage in
      try stage.withClients {
        let client = try drawing(stage, AttackStage.tiledOutput)
        try client.insist(client.buffer(3, width: 64, height: 64, usage: .cursor))
        try client.insist(client.present(1, width: 1280, height: 720))
        return client
      } _: { client in
        let (x, y) = (Int32(stage.number(below: 2000)) - 200, Int32(stage.number(below: 1000)) - 200)
        try client.insist(
          .cursor(SetCursor(scanout: 0, generation: client.generation(0), bufferID: 3, x: x, y: y)))
        try client.receive(milliseconds: 0)
      }
    },
    Attack(name: "disable", what: "DISABLE, PATH and PRESENT in turn") { stage in
      try stage.withClients {
        try drawing(stage, AttackStage.output)
      } _: { client in
        try client.insist(client.present(1, width: 1280, height: 720))
        try client.insist(.path(scanout: 0, .copy, reason: "\u{1B}[2J reason \(stage.number(below: 1000))"))
        try client.insist(.disable(scanout: 0))
        try client.receive(milliseconds: 0)
      }
    },
    Attack(name: "fence", what: "PRESENT with fences that are never signalled, on 16 parked heads") { stage in
      let fence = try EventFD()
      return try stage.withClients {
        let client = try HostileClient(stage, "evil", scanouts: 16)
        for scanout in 0..<16 {
          try client.insist(client.buffer(UInt32(scanout + 1), scanout: scanout, width: 64, height: 64))
        }
        return client
      } _: { client in
        let scanout = stage.number(below: 16)
        try client.insist(
          client.present(UInt32(scanout + 1), scanout: scanout, width: 64, height: 64, isFenced: true), [fence.fd.raw])
        try client.receive(milliseconds: 0)
      }
    },
    // A host without timelines must not look for them at each message.
    Attack(name: "sync-points", what: "SYNC_POINTS without end, with descriptors of memory") { stage in
      let memory = try MemFD.create(name: "evil", byteCount: 4096)
      return try stage.withClients {
        try drawing(stage, AttackStage.output)
      } _: { client in
        let points = SyncPoints(scanout: 0, acquirePoint: 1, releasePoint: 2)
        try client.insist(.syncPoints(points, request: client.nextRequest()), [memory.raw, memory.raw])
        try client.receive(milliseconds: 0)
      }
    },
  ]

  /// A client with two buffers.
  private static func drawing(_ stage: AttackStage, _ output: String) throws -> HostileClient {
    let client = try HostileClient(stage, "evil", output: output)
    for id: UInt32 in [1, 2] { try client.insist(client.buffer(id, width: 1280, height: 720)) }
    return client
  }
}
