/// What clients may take from what all share. A lower limit holds for what is requested from then on.
public struct ClientLimits: Equatable, Sendable {
  /// Connections to the frames socket.
  public var connections = 512
  /// Connections of one user other than root and the daemon's.
  public var connectionsPerUser = 384
  /// Connections of one process.
  public var connectionsPerProcess = 256
  /// Connections to the control socket, besides the places kept for the daemon's user and root.
  public var controlConnections = 32
  /// The time in which a client must send HELLO.
  public var helloSeconds: Int64 = 2
  /// Scanouts of one user's clients: those without an output are parked, each on an off-screen output of its own.
  public var scanoutsPerUser = 1024
  /// Buffers of one client, including imported ones.
  public var buffersPerClient = 256
  /// Bytes of one snapshot.
  public var snapshotBytes = 256 << 20
  /// Descriptors of all clients; nil: what the process may open without those that it needs itself.
  public var descriptors: Int?
  /// Descriptors of one client: those that it sent, and those that the daemon opened for it.
  public var descriptorsPerClient = 1024
  /// Descriptors of the clients of one user other than root and the daemon's; nil: half of those of all clients.
  public var descriptorsPerUser: Int?
  /// Messages queued for a client that does not read; with more it is ended.
  public var unreadMessages = 1024
  /// Messages with descriptors that a client has not read; further ones wait, and nothing is read from it.
  public var unreadDescriptors = 16
  /// Descriptors of one client that are being closed, of kinds whose `close` may wait for others; with more it is ended.
  public var unclosedPerClient = 16
  /// The same for all clients of one user; at the limit no further client of the user is accepted.
  public var unclosedPerUser = 64
  /// Log lines about one user's clients at once.
  public var logBurst = 1024
  /// Log lines about one user's clients in a second, on average.
  public var logRate = 32

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<ClientLimits>] = [
    Setting(
      401, "connections", \.connections, .whole(1...65_536, .number, none: nil), .limits,
      "Connections to the frames socket; an eighth of all clients' descriptors, if that is less."),
    Setting(
      402, "connections-per-user", \.connectionsPerUser, .whole(1...65_536, .number, none: nil), .limits,
      "Connections to the frames socket of one user other than root and the daemon's."),
    Setting(
      403, "connections-per-process", \.connectionsPerProcess, .whole(1...65_536, .number, none: nil), .limits,
      "Connections to the frames socket of one process."),
    Setting(
      404, "control-connections", \.controlConnections, .whole(1...4096, .number, none: nil), .limits,
      "Connections to the control socket, besides 16 for the daemon's user and another 16 for root."),
    Setting(
      405, "hello-time", \.helloSeconds, .whole(1...3600, .seconds, none: nil), .limits,
      "The time in which a client must send HELLO."),
    Setting(
      406, "scanouts-per-user", \.scanoutsPerUser, .whole(1...65_536, .number, none: nil), .limits,
      "Scanouts of the clients of one user, parked ones included."),
    Setting(
      407, "buffers-per-client", \.buffersPerClient, .whole(1...4096, .number, none: nil), .limits,
      "Buffers of one client, imported ones and waiting requests included."),
    Setting(
      408, "snapshot-size", \.snapshotBytes, .bytes(4096...(4 << 30), none: nil), .limits,
      "Bytes of one snapshot, four for each pixel."),
    Setting(
      409, "descriptors", \.descriptors, .whole(64...1_048_576, .number, none: "automatic"), .limits,
      "Descriptors of all clients. Automatic: what the process may open without some for itself."),
    Setting(
      410, "descriptors-per-client", \.descriptorsPerClient, .whole(32...65_536, .number, none: nil), .limits,
      "Descriptors of one client: those that it sent, and those that the daemon opened for it."),
    Setting(
      411, "descriptors-per-user", \.descriptorsPerUser, .whole(32...1_048_576, .number, none: "half"), .limits,
      "Descriptors of the clients of one user other than root and the daemon's. Half: of those of all clients."),
    Setting(
      412, "unread-messages", \.unreadMessages, .whole(8...65_536, .number, none: nil), .limits,
      "Messages that wait for a client that does not read; with more it is ended."),
    Setting(
      413, "unread-descriptors", \.unreadDescriptors, .whole(1...253, .number, none: nil), .limits,
      "Messages with descriptors that a client has not read; others wait, and nothing is read from it."),
    Setting(
      414, "unclosed-per-client", \.unclosedPerClient, .whole(1...4096, .number, none: nil), .limits,
      "Descriptors of one client that cannot be closed, because their files make close wait; with more it is ended."),
    Setting(
      415, "unclosed-per-user", \.unclosedPerUser, .whole(1...4096, .number, none: nil), .limits,
      "The same of the clients of one user; with so many, no further client of the user is accepted."),
    Setting(
      416, "log-burst", \.logBurst, .whole(1...1_000_000, .number, none: nil), .limits,
      "Log lines about the clients of one user at once."),
    Setting(
      417, "log-rate", \.logRate, .whole(1...1_000_000, .number, none: nil), .limits,
      "Log lines about the clients of one user in a second, on average; the next one tells how many were left out."),
  ]
}

extension ClientLimits: SettingGroup {
  /// Clients.
  public static var scope: SettingScope { .clients }
  /// The defaults.
  public static var defaults: ClientLimits { ClientLimits() }
}
