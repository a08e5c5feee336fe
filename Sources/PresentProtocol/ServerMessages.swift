public import GraphicsMemory
public import Scanout

/// WELCOME: the answer to HELLO.
public struct Welcome: Equatable, Sendable {
  /// The granted number of scanouts.
  public var scanoutCount: Int
  /// The limit on the client's host buffers in bytes.
  public var memoryLimitBytes: UInt64

  /// An answer to HELLO.
  public init(scanoutCount: Int, memoryLimitBytes: UInt64) {
    self.scanoutCount = scanoutCount
    self.memoryLimitBytes = memoryLimitBytes
  }
}

/// OUTPUT: the output behind a scanout.
public struct OutputDescription: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// Rises when the scanout moves to another output, which destroys its buffers.
  public var generation: UInt32
  /// Whether there is a monitor now.
  public var connected: Bool
  /// Whether no output is free: frames are paced, but only snapshots show them.
  public var parked: Bool
  /// The current mode.
  public var mode: DisplayMode
  /// Physical width in millimetres; 0 if unknown.
  public var widthMillimetres: Int
  /// Physical height in millimetres; 0 if unknown.
  public var heightMillimetres: Int
  /// Width and height of the hardware cursor in pixels; 0 if the daemon blends the cursor.
  public var cursorSize: Int
  /// The kind of memory of buffers for this output.
  public var memoryKind: MemoryKind
  /// The output's name, such as `HDMI-A-1`.
  public var name: String
  /// The monitor's EDID; empty if it has none.
  public var edid: [UInt8]

  /// A description with all fields.
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

/// BUFFER: a buffer is ready. One descriptor for a host buffer, none for an imported one.
public struct BufferReply: Equatable, Sendable {
  /// The buffer.
  public var bufferID: UInt32
  /// The kind of memory behind the descriptor.
  public var memoryKind: MemoryKind
  /// Width in pixels; for a cursor, the cursor size.
  public var width: UInt32
  /// Height in pixels.
  public var height: UInt32
  /// The distance from one row to the next in bytes.
  public var strideBytes: UInt32
  /// The bytes to map; 0 for an imported buffer.
  public var byteCount: UInt64

  /// An answer for that buffer.
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

/// The outcome of a frame.
public enum PresentOutcome: UInt32, Sendable {
  /// The frame is on screen.
  case flipped = 1
  /// Replaced by a newer frame before it was shown.
  case superseded = 2
  /// The output refused it; an ERROR has the reason.
  case rejected = 3
}

/// FRAME_DONE: the outcome of a frame.
public struct FrameDone: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The frame's number from PRESENT.
  public var frame: UInt64
  /// The outcome.
  public var outcome: PresentOutcome
  /// CLOCK_MONOTONIC nanoseconds of the flip; 0 without one.
  public var timeNanoseconds: UInt64
  /// The output's vblank counter at the flip.
  public var sequence: UInt64

  /// The outcome of that frame.
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
  /// The buffer's scanout.
  public var scanout: UInt32
  /// The last frame that showed it; a later present of the buffer makes this message void. 0 for a cursor's buffer.
  public var frame: UInt64

  /// A release of that buffer.
  public init(bufferID: UInt32, scanout: UInt32, frame: UInt64) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.frame = frame
  }
}

/// SNAPSHOT_REPLY: a picture, XRGB8888, in the memory of the message's descriptor.
public struct SnapshotReply: Equatable, Sendable {
  /// The layout of the picture.
  public var layout: FrameLayout
  /// Whether the hardware wrote the picture.
  public var fromWriteback: Bool
  /// The kind of memory behind the descriptor.
  public var memoryKind: MemoryKind
  /// The bytes to map.
  public var byteCount: UInt64

  /// An answer with that picture.
  public init(layout: FrameLayout, fromWriteback: Bool, memoryKind: MemoryKind, byteCount: UInt64) {
    self.layout = layout
    self.fromWriteback = fromWriteback
    self.memoryKind = memoryKind
    self.byteCount = byteCount
  }
}

/// The kinds of errors.
public enum PresentErrorCode: UInt32, Sendable {
  /// The daemon has another protocol version. The daemon closes.
  case version = 1
  /// A message breaks the rules. The daemon closes.
  case malformed = 2
  /// A connected client has that name, or the host keeps it for another user. The daemon closes.
  case nameTaken = 3
  /// HELLO names an unknown output. The daemon closes.
  case noSuchOutput = 4
  /// SNAPSHOT of an unknown VM, scanout or output.
  case noSuchVM = 5
  /// An unknown buffer. The daemon closes.
  case noSuchBuffer = 6
  /// The client's limit is reached, or the system is out of memory.
  case noMemory = 7
  /// The request cannot be fulfilled; the text has the reason.
  case refused = 8
  /// A commit failed; its frame is `rejected`.
  case output = 9
  /// A buffer for a former generation.
  case stale = 10
  /// The daemon has too many clients, or the client's user takes too much. The daemon closes.
  case limit = 11
  /// Clients of this kind may not send that message; the text says who may.
  case denied = 12

  /// Whether the daemon closes the connection after this error.
  public var isFatal: Bool {
    switch self {
    case .version, .malformed, .nameTaken, .noSuchOutput, .noSuchBuffer, .limit: true
    case .noSuchVM, .noMemory, .refused, .output, .stale, .denied: false
    }
  }

  /// Whether a HELLO that was refused with it may be accepted later as it is: another client gives the name up, the
  /// output appears.
  public var mayHeal: Bool {
    switch self {
    case .version, .malformed: false
    case .nameTaken, .noSuchOutput, .noSuchVM, .noSuchBuffer, .noMemory, .refused, .output, .stale, .limit, .denied:
      true
    }
  }
}

/// ERROR: a request was refused, or the connection ends.
public struct ErrorMessage: Equatable, Sendable {
  /// The kind of error.
  public var code: PresentErrorCode
  /// The scanout concerned, or 0.
  public var scanout: UInt32
  /// A message for the user; up to 255 bytes.
  public var text: String

  /// An error message.
  public init(code: PresentErrorCode, scanout: UInt32 = 0, text: String) {
    self.code = code
    self.scanout = scanout
    self.text = text
  }
}

/// LEASED: the client has the output. One descriptor: the DRM master of the leased objects.
public struct Leased: Equatable, Sendable {
  /// The kernel's lessee id.
  public var lesseeID: UInt32
  /// The leased connector.
  public var connectorID: UInt32
  /// The leased CRTC.
  public var crtcID: UInt32
  /// The leased primary plane.
  public var planeID: UInt32

  /// An answer with that lease.
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
  /// STATUS_REPLY (134): the size in bytes of the JSON in the message's memfd.
  case statusReply(byteCount: UInt64, request: UInt64)
  /// SNAPSHOT_REPLY (135).
  case snapshotReply(SnapshotReply, request: UInt64)
  /// ERROR (136); `request` is that of the refused message, or 0.
  case error(ErrorMessage, request: UInt64)
  /// DONE (137): the command of that request is carried out.
  case done(request: UInt64)
  /// REGION_NEWS (138): the daemon has written into the rings of that scanout's region.
  case regionNews(scanout: UInt32)
  /// LEASED (139).
  case leased(Leased, request: UInt64)
  /// LEASE_ENDED (140): the lease of that request has ended; up to 255 bytes of text say why.
  case leaseEnded(why: String, request: UInt64)
  /// CHANGED (141): the state has changed in these ways; `request` is that of SUBSCRIBE.
  case changed(ChangeKinds, request: UInt64)
  /// DEVICE_SETTINGS (142).
  case deviceSettings(DeviceSettings)
}
