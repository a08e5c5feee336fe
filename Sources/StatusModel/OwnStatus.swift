/// The answer to STATUS on the frames socket: the client itself, and what it needs to know of the outputs.
public struct OwnStatus: Codable, Equatable, Sendable {
  /// CLOCK_MONOTONIC when the status was made. All other times except `unixNanoseconds` are on this clock.
  public var nowNanoseconds: UInt64
  /// CLOCK_REALTIME at the same moment.
  public var unixNanoseconds: UInt64
  /// The outputs, in the order in which they were opened.
  public var outputs: [Output]
  /// The client. The last field: see `JSONPieces`.
  public var vms: [DaemonStatus.VM]

  /// All fields.
  public init(nowNanoseconds: UInt64, unixNanoseconds: UInt64, outputs: [Output], vms: [DaemonStatus.VM]) {
    self.nowNanoseconds = nowNanoseconds
    self.unixNanoseconds = unixNanoseconds
    self.outputs = outputs
    self.vms = vms
  }

  /// An output that a client may ask for.
  public struct Output: Codable, Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Of the current mode, pixels.
    public var width: Int
    /// Of the current mode, pixels.
    public var height: Int
    /// Of the current mode, frames per 1000 seconds.
    public var refreshMillihertz: Int
    /// Whether there is a monitor.
    public var connected: Bool

    /// All fields.
    public init(name: String, width: Int, height: Int, refreshMillihertz: Int, connected: Bool) {
      self.name = name
      self.width = width
      self.height = height
      self.refreshMillihertz = refreshMillihertz
      self.connected = connected
    }
  }
}
