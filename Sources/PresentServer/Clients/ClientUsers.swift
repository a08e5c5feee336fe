import DaemonSettings
import LinuxIO

/// A user of this host, and what its clients take together.
final class ClientUser {
  let uid: UInt32
  /// The descriptors of all its connections, including those that have ended.
  let descriptors: DescriptorAccount
  /// Its connections to the frames socket.
  fileprivate(set) var connectionCount = 0
  /// Its connections to the control socket.
  fileprivate(set) var controlConnectionCount = 0
  /// The scanouts of its clients.
  var scanoutCount = 0
  fileprivate var logPace: MessagePace
  private var linesLeftOut = 0

  fileprivate init(_ uid: UInt32, in all: DescriptorAccount, _ limits: ClientLimits) {
    self.uid = uid
    logPace = MessagePace(limits)
    descriptors = all.subaccount()
  }

  /// Counts a log line about one of its clients: the number of lines left out before it, or nil if it is left out too.
  func beginLine(at now: UInt64) -> Int? {
    guard logPace.pause(at: now) == nil else {
      linesLeftOut += 1
      return nil
    }
    defer { linesLeftOut = 0 }
    return linesLeftOut
  }
}

/// The users who have clients, or whose descriptors are still being closed, and the limits for what one of them may take
/// from the others.
final class ClientUsers {
  private var users: [UInt32: ClientUser] = [:]
  private var connectionsOfProcess: [Int32: Int] = [:]
  /// Connections to the frames socket.
  private(set) var connectionCount = 0
  private var controlConnectionCount = 0
  /// The descriptors of all clients.
  let descriptors: DescriptorAccount
  /// What clients may take.
  private(set) var limits: ClientLimits
  /// The most descriptors that the process can open for all clients; the rest of the process's is for the daemon itself.
  let mostDescriptors: Int
  /// Places beyond the limit of the control socket for the daemon's user, and as many more for root.
  static let reservedControlConnections = 16
  /// Descriptors that a client may have even if there is a shortage.
  private static let freeDescriptors = 32
  /// Descriptors for the daemon itself: outputs, files that it opens for a moment, a message's before they are counted.
  private static let ownDescriptors = 640
  private let ownUser: UInt32

  init(_ closer: DescriptorCloser, _ limits: ClientLimits, ownUser: UInt32 = currentUserID()) {
    descriptors = DescriptorAccount(closer)
    self.limits = limits
    self.ownUser = ownUser
    let usage = ProcessUsage.current()
    let room = (usage.descriptorLimit ?? .max / 2) - (usage.openDescriptors ?? 64)
    mostDescriptors = max(room - ClientUsers.ownDescriptors, room / 2)
  }

  /// Changes what clients may take from now on.
  func take(_ new: ClientLimits) {
    let isOtherPace = (new.logBurst, new.logRate) != (limits.logBurst, limits.logRate)
    limits = new
    if isOtherPace { for user in users.values { user.logPace = MessagePace(new) } }
  }

  /// The most descriptors for all clients.
  private var descriptorBudget: Int { limits.descriptors ?? mostDescriptors }

  /// The user of a new connection.
  func user(_ uid: UInt32) -> ClientUser {
    if let known = users[uid] { return known }
    users = users.filter {
      $0.value.connectionCount > 0 || $0.value.controlConnectionCount > 0 || $0.value.descriptors.openCount > 0
    }
    let user = ClientUser(uid, in: descriptors, limits)
    users[uid] = user
    return user
  }

  /// The number of descriptors that `close` has not returned from, of kinds that may make it wait.
  var closingCount: Int { descriptors.closingCount }

  func add(_ session: ClientSession) { count(session, 1) }

  func remove(_ session: ClientSession) { count(session, -1) }

  private func count(_ session: ClientSession, _ change: Int) {
    if session.purpose == .control {
      controlConnectionCount += change
      session.user.controlConnectionCount += change
      return
    }
    connectionCount += change
    session.user.connectionCount += change
    let pid = session.peer.pid
    let left = connectionsOfProcess[pid, default: 0] + change
    connectionsOfProcess[pid] = left == 0 ? nil : left
  }

  // MARK: - Connections

  /// The most connections to the frames socket; fewer than in the settings where the process may have few descriptors.
  var connectionLimit: Int { max(1, min(limits.connections, descriptorBudget / 8)) }

  /// Why no further client of a user is accepted; nil if it is.
  ///
  /// Beyond the limit of the control socket there are places for the daemon's user, and as many more for root.
  func objection(to peer: PeerCredentials, _ user: ClientUser, _ purpose: SocketPurpose) -> String? {
    let isOwn = peer.uid == ownUser
    if purpose == .control {
      let reserved = ClientUsers.reservedControlConnections
      let most = limits.controlConnections + (peer.uid == 0 ? 2 * reserved : isOwn ? reserved : 0)
      if controlConnectionCount < most { return nil }
      return "the daemon has \(controlConnectionCount) tools; the limit for user \(peer.uid) is \(most)"
    }
    if connectionCount >= connectionLimit {
      return "the daemon has \(connectionCount) clients; the limit is \(connectionLimit)"
    }
    if connectionsOfProcess[peer.pid, default: 0] >= limits.connectionsPerProcess {
      return "process \(peer.pid) has \(limits.connectionsPerProcess) connections, the limit for a process"
    }
    if peer.uid != 0, !isOwn, user.connectionCount >= limits.connectionsPerUser {
      return "user \(peer.uid) has \(limits.connectionsPerUser) connections, the limit for a user"
    }
    let closing = user.descriptors.closingCount
    if closing >= limits.unclosedPerUser {
      return "\(closing) descriptors that clients of user \(user.uid) sent cannot be closed"
    }
    return nil
  }

  // MARK: - Descriptors

  /// Why a client may not have the descriptors that it holds; nil if it may.
  ///
  /// Every client may have some, however many the others take.
  func objection(toDescriptorsOf session: ClientSession) -> String? {
    let own = session.descriptors.heldCount
    if own <= ClientUsers.freeDescriptors { return nil }
    if own > limits.descriptorsPerClient {
      return "the client holds \(own) descriptors; the limit is \(limits.descriptorsPerClient)"
    }
    let most = limits.descriptorsPerUser ?? descriptorBudget / 2
    let ofUser = session.user.descriptors.openCount
    if session.user.uid != 0, session.user.uid != ownUser, ofUser > most {
      return "the clients of user \(session.user.uid) hold \(ofUser) descriptors; the limit for a user is \(most)"
    }
    let all = descriptors.openCount
    if all > descriptorBudget {
      return "all clients hold \(all) descriptors; the daemon's limit allows \(descriptorBudget)"
    }
    return nil
  }
}
