import DaemonSettings
import FrameScheduler
import LinuxIO
import PresentProtocol

/// The connected clients in connection order.
final class ClientTable {
  private(set) var sessions: [ClientSession] = []
  let users: ClientUsers
  /// Sessions by memory account.
  private var byAccount: [VMID: ClientSession] = [:]
  /// Sessions to close when no caller iterates over the lists.
  private var dropped: [(session: ClientSession, why: String)] = []
  /// Clients that have not sent HELLO, the oldest first, and when each is ended.
  private var newcomers: [(session: ClientSession, deadline: UInt64)] = []
  private var helloTimer: PresentTimer?
  private let clock: PresentClock
  private let wake: EventFD
  private let loop: EventLoop
  private var source: EventLoop.Source?

  init(loop: EventLoop, closer: DescriptorCloser, _ options: ServerOptions) throws(SystemError) {
    self.loop = loop
    clock = options.clock
    users = ClientUsers(closer, options.limits)
    wake = try EventFD()
    source = try loop.add(wake.fd.raw) { [unowned self] _ in endDropped() }
    helloTimer = try options.clock.timer(on: loop) { [unowned self] in endMute() }
  }

  /// What clients may take.
  var limits: ClientLimits { users.limits }

  /// Changes what clients may take from now on.
  func take(_ limits: ClientLimits) {
    users.take(limits)
    for session in sessions { session.take(limits) }
  }

  /// Adds a connection, which must send HELLO in time.
  func add(_ session: ClientSession) {
    sessions.append(session)
    users.add(session)
    byAccount[session.account.id] = session
    newcomers.append((session, clock.nowNanoseconds + UInt64(limits.helloSeconds) * 1_000_000_000))
    if newcomers.count == 1 { armHello() }
  }

  func remove(_ session: ClientSession) {
    introduced(session)
    sessions.removeAll { $0 === session }
    users.remove(session)
    byAccount[session.account.id] = nil
  }

  /// The client has sent HELLO.
  func introduced(_ session: ClientSession) {
    newcomers.removeAll { $0.session === session }
    if newcomers.isEmpty { helloTimer?.disarm() }
  }

  private func armHello() { if let first = newcomers.first { helloTimer?.arm(first.deadline) } }

  private func endMute() {
    let now = clock.nowNanoseconds
    while let first = newcomers.first, first.deadline <= now {
      newcomers.removeFirst()
      first.session.fail(.malformed, "no HELLO within \(limits.helloSeconds) seconds")
    }
    armHello()
  }

  /// Closes all sessions.
  func stop() {
    if let source = source.take() { loop.remove(source) }
    helloTimer = nil
    for session in sessions { session.close(nil) }
    sessions = []
    newcomers = []
  }

  /// Closes a session later from the loop, for callers that iterate over lists.
  func drop(_ session: ClientSession, _ why: String) {
    dropped.append((session, why))
    wake.signal()
  }

  private func endDropped() {
    wake.drain()
    let ended = dropped
    dropped = []
    for (session, why) in ended { session.close(why) }
  }

  /// The session of a memory account.
  func session(ofAccount id: VMID) -> ClientSession? { byAccount[id] }

  /// Whether there is more than one client on the frames socket.
  var isShared: Bool { users.connectionCount > 1 }

  /// The connected client with scanouts under a name. A session whose process has exited is closed first.
  func living(_ name: String) -> ClientSession? {
    for session in sessions where session.name == name && !session.surfaces.isEmpty {
      if !session.isHungUp { return session }
      session.close("disconnected")
      return nil
    }
    return nil
  }
}
