public import GraphicsMemory
public import Scanout

/// WELCOME: the answer to HELLO.
public struct Welcome: Equatable, Sendable {
  /// Heads granted.
  public var scanoutCount: Int
  /// Bytes of host buffers that the client may hold.
  public var memoryLimitBytes: UInt64

  /// A welcome.
  public init(scanoutCount: Int, memoryLimitBytes: UInt64) {
    self.scanoutCount = scanoutCount
    self.memoryLimitBytes = memoryLimitBytes
  }
}

/// OUTPUT: the output behind a scanout.
public struct OutputDescription: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// Rises when the scanout moved to another output: its buffers are gone then.
  public var generation: UInt32
  /// Whether there is a monitor now.
  public var connected: Bool
  /// Whether no output is free: frames are paced, but seen by snapshots only.
  public var parked: Bool
  /// The current mode.
  public var mode: DisplayMode
  /// Physical size in millimetres; 0 where unknown.
  public var widthMillimetres: Int
  /// Physical size in millimetres; 0 where unknown.
  public var heightMillimetres: Int
  /// Width and height in pixels of a hardware cursor; 0 where the daemon composes it.
  public var cursorSize: Int
  /// Where buffers made for it lie.
  public var memoryKind: MemoryKind
  /// `HDMI-A-1` and the like.
  public var name: String
  /// The monitor's EDID; empty where it has none.
  public var edid: [UInt8]

  /// All fields.
  public init(
    scanout: UInt32, generation: UInt32, connected: Bool, parked: Bool, mode: DisplayMode, widthMillimetres: Int = 0,
    heightMillimetres: Int = 0, cursorSize: Int = 0, memoryKind: MemoryKind, name: String, edid: [UInt8] = []
  ) {
    self.scanout = scanout
    self.generation = generation
    self.connected = connected
    self.parked = parked
    self.mode = mode
    self.widthMillimetres = widthMillimetres
    self.heightMillimetres = heightMillimetres
    self.cursorSize = cursorSize
    self.memoryKind = memoryKind
    self.name = name
    self.edid = edid
  }
}

/// BUFFER: a buffer is ready. One descriptor beside it for a host buffer, none for an imported one.
public struct BufferReply: Equatable, Sendable {
  /// The buffer.
  public var bufferID: UInt32
  /// What the descriptor is.
  public var memoryKind: MemoryKind
  /// Pixels across; for a cursor, the cursor size.
  public var width: UInt32
  /// Pixels down.
  public var height: UInt32
  /// Bytes from one row to the next.
  public var strideBytes: UInt32
  /// Bytes to map; 0 for an imported buffer.
  public var byteCount: UInt64

  /// A buffer.
  public init(
    bufferID: UInt32, memoryKind: MemoryKind, width: UInt32, height: UInt32, strideBytes: UInt32, byteCount: UInt64
  ) {
    self.bufferID = bufferID
    self.memoryKind = memoryKind
    self.width = width
    self.height = height
    self.strideBytes = strideBytes
    self.byteCount = byteCount
  }
}

/// What became of a frame.
public enum PresentOutcome: UInt32, Sendable {
  /// It is on screen.
  case flipped = 1
  /// A newer one took its place before it was shown.
  case superseded = 2
  /// The output refused it; an ERROR says why.
  case rejected = 3
}

/// FRAME_DONE: what became of a frame.
public struct FrameDone: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The frame, as PRESENT named it.
  public var frame: UInt64
  /// What became of it.
  public var outcome: PresentOutcome
  /// CLOCK_MONOTONIC of the flip; 0 where there was none.
  public var timeNanoseconds: UInt64
  /// The output's vblank counter at the flip.
  public var sequence: UInt64

  /// An outcome.
  public init(
    scanout: UInt32, frame: UInt64, outcome: PresentOutcome, timeNanoseconds: UInt64 = 0, sequence: UInt64 = 0
  ) {
    self.scanout = scanout
    self.frame = frame
    self.outcome = outcome
    self.timeNanoseconds = timeNanoseconds
    self.sequence = sequence
  }
}

/// RELEASED: a buffer has left the screen.
public struct Released: Equatable, Sendable {
  /// The buffer.
  public var bufferID: UInt32
  /// Its scanout.
  public var scanout: UInt32
  /// The last frame that showed it; a later present of the buffer makes this message void. 0 for a cursor's buffer.
  public var frame: UInt64

  /// A release.
  public init(bufferID: UInt32, scanout: UInt32, frame: UInt64) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.frame = frame
  }
}

/// SNAPSHOT_REPLY: a picture, XRGB8888, in the one descriptor beside it.
public struct SnapshotReply: Equatable, Sendable {
  /// The picture in the memory.
  public var layout: FrameLayout
  /// Whether the hardware wrote it.
  public var fromWriteback: Bool
  /// What the descriptor is.
  public var memoryKind: MemoryKind
  /// Bytes to map.
  public var byteCount: UInt64

  /// A picture.
  public init(layout: FrameLayout, fromWriteback: Bool, memoryKind: MemoryKind, byteCount: UInt64) {
    self.layout = layout
    self.fromWriteback = fromWriteback
    self.memoryKind = memoryKind
    self.byteCount = byteCount
  }
}

/// Why the daemon says no.
public enum PresentErrorCode: UInt32, Sendable {
  /// The daemon speaks another version. The daemon closes.
  case version = 1
  /// A message that breaks the rules. The daemon closes.
  case malformed = 2
  /// A living client has that name. The daemon closes.
  case nameTaken = 3
  /// HELLO wishes an output that is not there. The daemon closes.
  case noSuchOutput = 4
  /// SNAPSHOT of an unknown VM, scanout or output.
  case noSuchVM = 5
  /// A buffer that was never made. The daemon closes.
  case noSuchBuffer = 6
  /// The client's limit is reached, or the system has no more memory.
  case noMemory = 7
  /// The output cannot do that.
  case refused = 8
  /// A commit failed; its frame is `rejected`.
  case output = 9
  /// A buffer for a generation that is over.
  case stale = 10

  /// Whether the daemon closes the connection after it.
  public var isFatal: Bool {
    switch self {
    case .version, .malformed, .nameTaken, .noSuchOutput, .noSuchBuffer: true
    case .noSuchVM, .noMemory, .refused, .output, .stale: false
    }
  }
}

/// ERROR: why the daemon says no.
public struct ErrorMessage: Equatable, Sendable {
  /// The kind of error.
  public var code: PresentErrorCode
  /// The scanout that it is about; 0 where there is none.
  public var scanout: UInt32
  /// For a person; up to 255 bytes.
  public var text: String

  /// An error.
  public init(code: PresentErrorCode, scanout: UInt32 = 0, text: String) {
    self.code = code
    self.scanout = scanout
    self.text = text
  }
}

/// LEASED: an output is the client's. One descriptor beside it, the DRM master of what is leased.
public struct Leased: Equatable, Sendable {
  /// The kernel's number of the lessee.
  public var lesseeID: UInt32
  /// The leased connector.
  public var connectorID: UInt32
  /// The leased CRTC.
  public var crtcID: UInt32
  /// The leased primary plane.
  public var planeID: UInt32

  /// A lease.
  public init(lesseeID: UInt32, connectorID: UInt32, crtcID: UInt32, planeID: UInt32) {
    self.lesseeID = lesseeID
    self.connectorID = connectorID
    self.crtcID = crtcID
    self.planeID = planeID
  }
}

/// A message from the daemon to a client.
public enum ServerMessage: Equatable, Sendable {
  /// WELCOME (129).
  case welcome(Welcome)
  /// OUTPUT (130).
  case output(OutputDescription)
  /// BUFFER (131).
  case buffer(BufferReply, request: UInt64)
  /// FRAME_DONE (132).
  case frameDone(FrameDone)
  /// RELEASED (133).
  case released(Released)
  /// STATUS_REPLY (134): so many bytes of JSON in the memfd beside it.
  case statusReply(byteCount: UInt64, request: UInt64)
  /// SNAPSHOT_REPLY (135).
  case snapshotReply(SnapshotReply, request: UInt64)
  /// ERROR (136); `request` is that of the message which it answers, or 0.
  case error(ErrorMessage, request: UInt64)
  /// CONTROL_REPLY (137): the settings are in force.
  case controlReply(request: UInt64)
  /// REGION_NEWS (138): the daemon has written into the rings of that scanout's region.
  case regionNews(scanout: UInt32)
  /// LEASED (139).
  case leased(Leased, request: UInt64)
  /// LEASE_ENDED (140): the lease that was asked for by that request is over; up to 255 bytes of text say why.
  case leaseEnded(why: String, request: UInt64)
  /// CHANGED (141): the state has changed in these ways; `request` is that of SUBSCRIBE.
  case changed(ChangeKinds, request: UInt64)
}
