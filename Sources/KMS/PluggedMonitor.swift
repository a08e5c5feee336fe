/// The monitor of an output: the last reading of its connector, and whether it is plugged in.
struct PluggedMonitor {
  /// The change found by a reading of the connector.
  enum Change {
    case none
    case unplugged
    /// Plugged in, or another description.
    case other
  }

  /// The last reading with a monitor plugged in.
  private(set) var connector: Connector
  private(set) var isConnected = true
  /// The last reading, with or without a monitor; nil if the connector did not exist.
  private var lastDescription: ConnectorDescription?

  init(_ connector: Connector) {
    self.connector = connector
    lastDescription = connector.description
  }

  /// The connector was read again; nil if it no longer exists.
  mutating func update(_ read: Connector?) -> Change {
    let wasConnected = isConnected
    isConnected = read?.description.connected ?? false
    if let read, isConnected { connector = read }
    let isSame = isConnected == wasConnected && (read.map { $0.description == lastDescription } ?? true)
    lastDescription = read?.description
    if isSame { return .none }
    return wasConnected && !isConnected ? .unplugged : .other
  }
}
