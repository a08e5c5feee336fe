import LinuxIO

/// A user of this host, and what its clients take together.
final class ClientUser {
  let uid: UInt32
  /// The descriptors of all its connections, including those that have ended.
  let descriptors: DescriptorAccount

  fileprivate init(_ uid: UInt32, _ closer: DescriptorCloser) {
    self.uid = uid
    descriptors = DescriptorAccount(closer)
  }
}

/// The users who have clients, or whose descriptors are still being closed.
final class ClientUsers {
  private var users: [UInt32: ClientUser] = [:]
  private let closer: DescriptorCloser

  init(_ closer: DescriptorCloser) { self.closer = closer }

  /// The user of a new connection.
  func user(_ uid: UInt32) -> ClientUser {
    if let known = users[uid] { return known }
    users = users.filter { $0.value.descriptors.openCount > 0 }
    let user = ClientUser(uid, closer)
    users[uid] = user
    return user
  }

  /// The number of descriptors of all users that `close` has not returned from, of kinds that may make it wait.
  var closingCount: Int { users.values.reduce(0) { $0 + $1.descriptors.closingCount } }
}
