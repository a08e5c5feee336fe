/// The daemon's state at one moment: the answer to STATUS, and all that `framepath status` prints.
public struct DaemonStatus: Codable, Equatable, Sendable {
  /// CLOCK_MONOTONIC when the status was made. All other times of the status but `unixNanoseconds` and
  /// `process.startedUnixNanoseconds` are on this clock.
  public var nowNanoseconds: UInt64
  /// CLOCK_REALTIME at the same moment.
  public var unixNanoseconds: UInt64
  /// Path of the socket that clients connect to.
  public var socket: String
  /// Connections, the one that asks included.
  public var clients: Int
  /// The most connections at once.
  public var clientLimit: Int
  /// Resources of the daemon's process.
  public var process: Process
  /// Bytes of buffers that count against the capacity, over all clients.
  public var bufferBytes: Int
  /// Bytes that all clients together may use, overheads included; nil: no limit.
  public var bufferCapacityBytes: Int?
  /// Bytes that each client with buffers counts beside them.
  public var bufferOverheadBytes: Int
  /// Which waiting request is served first when memory is freed.
  public var memorySelection: MemorySelection
  /// Whether imported memory counts as the daemon's own buffers do.
  public var countsImports: Bool
  /// The outputs, in the order in which they were opened.
  public var outputs: [Output]
  /// Clients with scanouts, in the order in which they connected. The last field: see `JSONPieces`.
  public var vms: [VM]

  /// All fields.
  public init(
    nowNanoseconds: UInt64,
    unixNanoseconds: UInt64,
    socket: String,
    clients: Int,
    clientLimit: Int,
    process: Process,
    bufferBytes: Int,
    bufferCapacityBytes: Int?,
    bufferOverheadBytes: Int,
    memorySelection: MemorySelection,
    countsImports: Bool,
    outputs: [Output],
    vms: [VM]
  ) {
    self.nowNanoseconds = nowNanoseconds
    self.unixNanoseconds = unixNanoseconds
    self.socket = socket
    self.clients = clients
    self.clientLimit = clientLimit
    self.process = process
    self.bufferBytes = bufferBytes
    self.bufferCapacityBytes = bufferCapacityBytes
    self.bufferOverheadBytes = bufferOverheadBytes
    self.memorySelection = memorySelection
    self.countsImports = countsImports
    self.outputs = outputs
    self.vms = vms
  }
}

extension DaemonStatus {
  /// Resources of the daemon's process. What the kernel does not give is nil.
  public struct Process: Codable, Equatable, Sendable {
    /// Process number.
    public var pid: Int32
    /// CLOCK_REALTIME when it began to serve.
    public var startedUnixNanoseconds: UInt64
    /// CPU time of all its threads, user and system.
    public var cpuNanoseconds: UInt64
    /// Resident memory, shared pages included.
    public var residentBytes: Int?
    /// Open descriptors.
    public var openDescriptors: Int?
    /// The most descriptors that it may have open.
    public var descriptorLimit: Int?

    /// All fields.
    public init(
      pid: Int32,
      startedUnixNanoseconds: UInt64,
      cpuNanoseconds: UInt64,
      residentBytes: Int?,
      openDescriptors: Int?,
      descriptorLimit: Int?
    ) {
      self.pid = pid
      self.startedUnixNanoseconds = startedUnixNanoseconds
      self.cpuNanoseconds = cpuNanoseconds
      self.residentBytes = residentBytes
      self.openDescriptors = openDescriptors
      self.descriptorLimit = descriptorLimit
    }
  }

  /// Which waiting request for memory is served first when memory is freed.
  public enum MemorySelection: String, Codable, Sendable, CaseIterable {
    /// The oldest.
    case fifo
    /// The largest that fits.
    case bestFit = "best-fit"
    /// The youngest.
    case recentUse = "recent-use"
    /// A random one that fits.
    case random
    /// The largest that fits, where size counts more the longer a request has waited; after one second the oldest.
    case agingBestFit = "aging-best-fit"
  }

  /// Commits of all outputs together.
  public var commits: UInt64 { outputs.reduce(0) { $0 &+ $1.commits } }

  /// A client's first scanout; nil where there is no such client.
  public func scanout(ofVM name: String) -> Scanout? { vms.first { $0.name == name }?.scanouts.first }
}
