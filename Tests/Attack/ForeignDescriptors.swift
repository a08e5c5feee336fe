import CLinux
import Glibc
import LinuxIO
import PresentProtocol
import TestSupport

extension Attack {
  /// S2, S6: descriptors beside messages, and what their close does.
  static let foreignDescriptors = [
    Attack(name: "linger", what: "TCP sockets whose close waits 1 s, beside a message") { stage in
      try linger(stage) { client, sockets in
        for socket in sockets { try client.insist(.disable(scanout: 0), [socket.descriptor]) }
      }
    },
    Attack(name: "linger-queued", what: "the same, queued behind a malformed message") { stage in
      try linger(stage) { client, sockets in
        // The daemon ends the connection at this scanout; the kernel drops what is queued behind, in its close.
        try client.insist(.disable(scanout: 99))
        for socket in sockets { try client.insist(.disable(scanout: 0), [socket.descriptor]) }
      }
    },
    Attack(name: "descriptors", what: "64 descriptors of many kinds beside each message") { stage in
      let kinds = try ForeignFiles()
      return try stage.withClients {
        try HostileClient(stage, "evil")
      } _: { client in
        let fds = (0..<64).map { _ in kinds.numbers[stage.number(below: kinds.numbers.count)] }
        let message: ClientMessage =
          switch stage.number(below: 4) {
          case 0:
            client.imported(UInt32(stage.number(below: 9)) + 1, width: 64, height: 64, ranges: 1) ?? .destroyBuffer(1)
          case 1: .syncPoints(SyncPoints(scanout: 0, acquirePoint: 1, releasePoint: nil), request: 1)
          case 2: client.present(1, width: 64, height: 64, isFenced: true)
          default: .status(request: 1)
          }
        try client.insist(message, fds)
        try client.receive(milliseconds: 0)
      }
    },
  ]

  /// Three clients' lingering sockets, 45 in all: below the limits at which the daemon ends the client, and accepts no
  /// others of its user, who is the victim's too.
  private static func linger(
    _ stage: AttackStage, _ attack: (HostileClient, [LingeringSocket]) throws -> Void
  ) throws -> Int {
    let waves = try (0..<3).map { _ in try (0..<15).map { _ in try LingeringSocket(lingerSeconds: 1) } }
    var count = 0
    while !stage.isOver {
      if count == waves.count {
        HostProcess.sleep(milliseconds: 10)
        continue
      }
      do { try attack(try HostileClient(stage, "evil"), waves[count]) } catch is Ended {}
      // From here on the message has the last descriptors; the other ends stay open, so that nothing ends the wait.
      for socket in waves[count] { socket.letGo() }
      count += 1
    }
    return waves.joined().count
  }
}

/// Open files of many kinds.
final class ForeignFiles {
  private var files: [SharedFD] = []

  init() throws {
    files.append(SharedFD(try MemFD.create(name: "evil", byteCount: 65_536)))
    files.append(SharedFD(try MemFD.createEmpty(name: "empty")))
    for path in ["/dev/zero", "/dev/null", "/dev/urandom", "/proc/self/mem", "/proc/self/status"] {
      files.append(SharedFD(try OwnedFD.open(path, flags: O_RDONLY | O_CLOEXEC)))
    }
    files.append(SharedFD(try OwnedFD.open("/", flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
    files.append(SharedFD(try OwnedFD.open("/", flags: 0o10_000_000 | O_CLOEXEC)))
    files.append(SharedFD(OwnedFD(taking: try check("eventfd") { eventfd(0, Int32(EFD_CLOEXEC)) })))
    files.append(SharedFD(OwnedFD(taking: try check("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })))
    files.append(
      SharedFD(OwnedFD(taking: try check("timerfd_create") { timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC)) })))
    files.append(
      SharedFD(
        OwnedFD(
          taking: try check("socket") { socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
      ))
  }

  var numbers: [Int32] { files.map(\.raw) }
}
