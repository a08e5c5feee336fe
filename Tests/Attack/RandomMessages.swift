import CFramepathABI
import LinuxIO
import PresentProtocol

extension Attack {
  /// Messages of all types with fields by chance, most of them small, with descriptors of many kinds.
  static let randomMessages = Attack(name: "random", what: "client messages by chance, with descriptors of many kinds")
  {
    stage in
    let files = try ForeignFiles()
    return try stage.withClients {
      try RandomClient(stage)
    } _: { client in
      let fds = (0..<(stage.number(below: 4) == 0 ? stage.number(below: 6) : 0)).map { _ in
        files.numbers[stage.number(below: files.numbers.count)]
      }
      try client.sendOne(fds)
    }
  }

  /// S9: what only the control socket may do, from the frames socket.
  static let deniedRequests = Attack(
    name: "denied", what: "SETTINGS, FOCUS, REVOKE, LEASE and SNAPSHOT of the victim, as a VM"
  ) { stage in
    let records = try MemFD.create(name: "settings", byteCount: 4096)
    return try stage.withClients {
      try HostileClient(stage, "evil")
    } _: { client in
      let messages: [ClientMessage] = [
        .settings(count: 1, request: 1), .focus(vm: "evil", request: 2),
        .revoke(output: "headless-0", ofLease: false, request: 3), .lease(output: "headless-0", request: 4),
        .snapshot(.vm(name: "victim", scanout: 0), request: 5), .snapshot(.output(name: "headless-0"), request: 6),
        .subscribe([.outputs, .vms, .focus, .settings], request: 7),
      ]
      let message = messages[stage.number(below: messages.count)]
      if case .settings = message {
        try client.insist(message, [records.raw])
      } else {
        try client.insist(message)
      }
      try client.receive(milliseconds: 0)
    }
  }
}

/// A connection with a HELLO, that then sends messages by chance.
private final class RandomClient {
  private let socket: HostileSocket
  private let stage: AttackStage
  /// Bytes of the messages by type, from 1.
  private static let sizes = [
    MemoryLayout<framepath_hello>.size, MemoryLayout<framepath_create_buffer>.size,
    MemoryLayout<framepath_import_buffer>.size, MemoryLayout<framepath_destroy_buffer>.size,
    MemoryLayout<framepath_present>.size, MemoryLayout<framepath_disable>.size, MemoryLayout<framepath_cursor>.size,
    MemoryLayout<framepath_path>.size, MemoryLayout<framepath_status>.size, MemoryLayout<framepath_snapshot>.size,
    MemoryLayout<framepath_settings>.size, MemoryLayout<framepath_trace>.size,
    MemoryLayout<framepath_region_message>.size, MemoryLayout<framepath_lease>.size,
    MemoryLayout<framepath_sync_points>.size, MemoryLayout<framepath_subscribe>.size,
    MemoryLayout<framepath_focus>.size,
    MemoryLayout<framepath_revoke>.size, MemoryLayout<framepath_device>.size,
  ]

  init(_ stage: AttackStage) throws {
    self.stage = stage
    socket = try HostileSocket(stage)
    var hello = RandomClient.header(type: 1, byteCount: RandomClient.sizes[0])
    for value: UInt32 in [FRAMEPATH_PROTOCOL_MAGIC, FRAMEPATH_PROTOCOL_VERSION, 2, 2] {
      hello += RandomClient.word(value)
    }
    hello += Array("evil".utf8)
    try socket.send(hello + [UInt8](repeating: 0, count: RandomClient.sizes[0] - hello.count))
  }

  func sendOne(_ fds: [Int32]) throws {
    let type = stage.number(below: 50) == 0 ? stage.number(below: 255) : stage.number(below: 18) + 2
    let right = RandomClient.sizes.indices.contains(type - 1) ? RandomClient.sizes[type - 1] : 64
    let byteCount = stage.number(below: 100) == 0 ? 16 + stage.number(below: 600) : right
    var bytes = RandomClient.header(type: UInt32(type), byteCount: byteCount)
    while bytes.count < byteCount {
      let value: UInt32 =
        switch stage.number(below: 16) {
        case 0: UInt32(truncatingIfNeeded: stage.number(below: 1 << 32))
        case 1: 0x3432_5258  // XR24
        case 2: 256
        default: UInt32(stage.number(below: 3))
        }
      bytes += RandomClient.word(value)
    }
    let isSent = try socket.send(Array(bytes.prefix(byteCount)), fds)
    if !isSent { _ = try waitUntilReady(socket.socket.fd.raw, .writable, timeoutMilliseconds: 5) }
    try socket.drain()
  }

  private static func header(type: UInt32, byteCount: Int) -> [UInt8] {
    word(type) + word(UInt32(byteCount)) + [1, 0, 0, 0, 0, 0, 0, 0]
  }

  private static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
}
