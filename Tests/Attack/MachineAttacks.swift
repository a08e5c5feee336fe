import LinuxIO
import TestSupport
import VhostUserFrontend

extension Attack {
  /// A hostile QEMU, and hostile guests, behind an honest backend of their own.
  static let machineAttacks = [
    Attack(name: "vhost-user", what: "vhost-user messages by chance to a backend of the attacker's own") { stage in
      var count = 0
      while !stage.isOver {
        let backend = try HostileMachine(stage)
        count += try backend.sendMessages()
      }
      return count
    },
    Attack(name: "virtio-gpu", what: "virtio-gpu commands by chance, 4 at a time") { stage in
      let kinds: [(UInt32, Int)] = [
        (0x0100, 0), (0x0101, 16), (0x0102, 8), (0x0103, 24), (0x0104, 24), (0x0105, 32), (0x0106, 24), (0x0107, 8),
        (0x010A, 8), (0x010C, 48), (0x010D, 72),
      ]
      return try commands(stage) { _ in
        let (type, byteCount) = kinds[stage.number(below: kinds.count)]
        var bytes = word(type) + word(UInt32(stage.number(below: 2))) + [UInt8](repeating: 0, count: 16)
        for _ in 0..<(byteCount / 4) {
          bytes += word(UInt32(stage.number(below: 8) == 0 ? stage.number(below: 1 << 32) : stage.number(below: 6)))
        }
        return bytes
      }
    },
    Attack(name: "guest-cursor", what: "a guest that moves its cursor without end") { stage in
      try commands(stage, queue: 1) { number in
        GPURequest.cursor(0, x: UInt32(number % 1000), y: UInt32(number % 700), isMove: true)
      }
    },
    Attack(name: "guest-copies", what: "a guest that transfers and flushes 1280x720 without end") { stage in
      try commands(stage, prepare: { try $0.makeImage(1, width: 1280, height: 720) }) { number in
        number % 2 == 0
          ? GPURequest.transfer(1, width: 1280, height: 720) : GPURequest.flush(1, width: 1280, height: 720)
      }
    },
    Attack(name: "guest-sizes", what: "a guest with another size at each frame") { stage in
      try commands(stage, prepare: { try $0.makeImage(1, width: 1280, height: 720) }) { number in
        let (width, height) = (64 + number / 2 % 1200, 64 + number / 2 % 600)
        return number % 2 == 0
          ? GPURequest.setScanout(1, width: width, height: height) : GPURequest.flush(1, width: width, height: height)
      }
    },
  ]

  private static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

  /// Sends commands to a backend, as many as the ring takes; to another one after its end.
  private static func commands(
    _ stage: AttackStage, queue: Int = 0, prepare: (GuestPlayer) throws -> Void = { _ in },
    _ command: (Int) -> [UInt8]
  ) throws -> Int {
    var machine: HostileMachine?
    var player: GuestPlayer?
    var count = 0
    while !stage.isOver {
      do {
        if player == nil {
          machine = try HostileMachine(stage)
          player = try machine.map { try GuestPlayer(path: $0.socket, ramBytes: 32 << 20) }
          if let player { try prepare(player) }
        }
        guard let player else { continue }
        try player.throwIn((0..<4).map { command(count + $0) }, on: queue)
        count += 4
      } catch is FrontendError {
        // In this order: the next backend has the same socket.
        player = nil
        machine = nil
      }
    }
    player = nil
    machine = nil
    return count
  }
}

extension GuestPlayer {
  /// A 2D resource on the first scanout.
  fileprivate func makeImage(_ resource: UInt32, width: Int, height: Int) throws {
    try ask(GPURequest.create2D(resource, width: width, height: height))
    try ask(GPURequest.attachBacking(resource, memory(width: width, height: height)))
    try ask(GPURequest.setScanout(resource, width: width, height: height))
  }
}

/// A backend of the attacker's own, on the attacks' output.
final class HostileMachine {
  let socket: String
  private let program: TestProgram
  private let stage: AttackStage

  init(_ stage: AttackStage) throws {
    self.stage = stage
    socket = "\(stage.folder)/evil.sock"
    var command = ChildCommand(
      Programs.path("framepath-vhost-user-gpu"),
      ["--vm", "evil", "--socket-path", socket, "--daemon", stage.socket, "--outputs", AttackStage.output])
    command.error = .null
    program = try TestProgram(command)
    let socket = socket
    try program.wait(for: "socket") { LinuxFile.status(socket) != nil || !program.isRunning }
  }

  deinit {
    program.process.stop(timeoutMilliseconds: 1000)
    removeFile(socket)
  }

  /// Sends messages by chance until the backend ends the connection.
  func sendMessages() throws -> Int {
    guard let connection = try? UnixSocket.connect(socket, .stream) else { return 0 }
    try connection.fd.setNonblocking()
    let ram = try GuestRAM(byteCount: 1 << 20)
    let event = try EventFD()
    let unsealed = try MemFD.createEmpty(name: "evil")
    let numbers = [ram.fd.raw, event.fd.raw, unsealed.raw]
    for count in 0..<500 where !stage.isOver {
      let payload = stage.bytes(stage.number(below: 4) == 0 ? stage.number(below: 300) : 8 * (stage.number(below: 6)))
        .map { stage.number(below: 3) > 0 ? 0 : $0 }
      let length =
        stage.number(below: 50) == 0 ? UInt32(truncatingIfNeeded: stage.number(below: 1 << 32)) : UInt32(payload.count)
      var bytes: [UInt8] = [UInt8(stage.number(below: 48)), 0, 0, 0, stage.number(below: 2) == 0 ? 1 : 9, 0, 0, 0]
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + payload
      let fds = (0..<stage.number(below: 4)).map { _ in numbers[stage.number(below: numbers.count)] }
      let isSent = bytes.withUnsafeBytes { buffer in (try? connection.send(buffer, fds: fds)) != nil }
      if !isSent { return count }
      var answer = [UInt8](repeating: 0, count: 4096)
      var received = ReceivedFDs()
      let result = answer.withUnsafeMutableBytes { try? connection.receive(into: $0, fds: &received, wait: false) }
      if result == .closed { return count }
    }
    return 500
  }
}
