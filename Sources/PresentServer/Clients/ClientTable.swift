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
  private let wake: EventFD
  private let loop: EventLoop
  private var source: EventLoop.Source?

  init(loop: EventLoop, closer: DescriptorCloser) throws(SystemError) {
    self.loop = loop
    users = ClientUsers(closer)
    wake = try EventFD()
    source = try loop.add(wake.fd.raw) { [unowned self] _ in endDropped() }
  }

  func add(_ session: ClientSession) {
    sessions.append(session)
    byAccount[session.account.id] = session
  }

  func remove(_ session: ClientSession) {
    sessions.removeAll { $0 === session }
    byAccount[session.account.id] = nil
  }

  /// Closes all sessions.
  func stop() {
    if let source = source.take() { loop.remove(source) }
    for session in sessions { session.close(nil) }
    sessions = []
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

  /// Whether more than one client is connected.
  var isShared: Bool { sessions.count > 1 }

  /// The connected client with scanouts under a name. A session whose process has exited is closed first.
  func living(_ name: String) -> ClientSession? {
    for session in sessions where session.name == name && !session.heads.isEmpty {
      if !session.isHungUp { return session }
      session.close("disconnected")
      return nil
    }
    return nil
  }
}
