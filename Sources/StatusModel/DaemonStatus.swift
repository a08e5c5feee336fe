/// The daemon's state at one moment: the answer to STATUS.
public struct DaemonStatus: Codable, Equatable, Sendable {
  /// CLOCK_MONOTONIC when the status was made. All other times of the status except `unixNanoseconds` and
  /// `process.startedUnixNanoseconds` are on this clock.
  public var nowNanoseconds: UInt64
  /// CLOCK_REALTIME at the same moment.
  public var unixNanoseconds: UInt64
  /// Path of the frames socket.
  public var socket: String
  /// Path of the control socket.
  public var controlSocket: String
  /// Connections to the frames socket.
  public var clients: Int
  /// The limit for them.
  public var clientLimit: Int
  /// Resources of the daemon's process.
  public var process: Process
  /// Bytes of all clients' buffers that count towards the capacity.
  public var bufferBytes: Int
  /// The limit for all clients together in bytes, including overheads; nil: no limit.
  public var bufferCapacityBytes: Int?
  /// Bytes charged to each client with buffers, in addition to the buffers.
  public var bufferOverheadBytes: Int
  /// The order in which waiting requests are served when memory is freed.
  public var memorySelection: MemorySelection
  /// Whether imported buffers count as host buffers do.
  public var countsImports: Bool
  /// The longest time for which copies of frames have held the daemon's loop in one iteration.
  public var longestCopyNanoseconds: UInt64
  /// The console and input devices that the daemon keeps from the host's shells; nil: none.
  public var seat: Seat?
  /// The outputs, in the order in which they were opened.
  public var outputs: [Output]
  /// Clients with scanouts, in the order in which they connected. The last field: see `JSONPieces`.
  public var vms: [VM]

  /// All fields.
  public init(
    nowNanoseconds: UInt64,
    unixNanoseconds: UInt64,
    socket: String,
    controlSocket: String,
    clients: Int,
    clientLimit: Int,
    process: Process,
    bufferBytes: Int,
    bufferCapacityBytes: Int?,
    bufferOverheadBytes: Int,
    memorySelection: MemorySelection,
    countsImports: Bool,
    longestCopyNanoseconds: UInt64,
    seat: Seat?,
    outputs: [Output],
    vms: [VM]
  ) {
    self.nowNanoseconds = nowNanoseconds
    self.unixNanoseconds = unixNanoseconds
    self.socket = socket
    self.controlSocket = controlSocket
    self.clients = clients
    self.clientLimit = clientLimit
    self.process = process
    self.bufferBytes = bufferBytes
    self.bufferCapacityBytes = bufferCapacityBytes
    self.bufferOverheadBytes = bufferOverheadBytes
    self.memorySelection = memorySelection
    self.countsImports = countsImports
    self.longestCopyNanoseconds = longestCopyNanoseconds
    self.seat = seat
    self.outputs = outputs
    self.vms = vms
  }
}

extension DaemonStatus {
  /// Resources of the daemon's process; nil: not available from the kernel.
  public struct Process: Codable, Equatable, Sendable {
    /// Process id.
    public var pid: Int32
    /// CLOCK_REALTIME when the daemon started to serve.
    public var startedUnixNanoseconds: UInt64
    /// CPU time of all threads, user and system.
    public var cpuNanoseconds: UInt64
    /// Resident memory, including shared pages.
    public var residentBytes: Int?
    /// Open descriptors.
    public var openDescriptors: Int?
    /// The limit for open descriptors.
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

  /// The daemon's console and input devices.
  public struct Seat: Codable, Equatable, Sendable {
    /// `seat0`, or another one of the host.
    public var name: String
    /// N of /dev/ttyN; nil: the seat has no virtual terminals.
    public var terminal: Int?
    /// Whether that terminal is shown. If not, cards and input devices are another program's.
    public var isShown: Bool
    /// The number of input devices that no other program gets.
    public var inputDevices: Int

    /// All fields.
    public init(name: String, terminal: Int?, isShown: Bool, inputDevices: Int) {
      self.name = name
      self.terminal = terminal
      self.isShown = isShown
      self.inputDevices = inputDevices
    }
  }

  /// The orders in which waiting requests are served when memory is freed.
  public enum MemorySelection: String, Codable, Sendable, CaseIterable {
    /// The oldest.
    case fifo
    /// The largest that fits.
    case bestFit = "best-fit"
    /// The newest.
    case recentUse = "recent-use"
    /// A random one that fits.
    case random
    /// The largest that fits, with size growing with the waiting time; after one second the oldest.
    case agingBestFit = "aging-best-fit"
  }

  /// Commits of all outputs together.
  public var commits: UInt64 { outputs.reduce(0) { $0 &+ $1.commits } }

  /// A client's first scanout; nil if there is no such client.
  public func scanout(ofVM name: String) -> Scanout? { vms.first { $0.name == name }?.scanouts.first }
}
