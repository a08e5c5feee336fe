public import GraphicsMemory
public import LinuxIO
public import Scanout

/// What an output is made of.
public enum OutputKind: String, Sendable {
  /// A timer as vblank and no monitor.
  case headless
  /// A CRTC and a connector of a DRM card.
  case kms
}

/// Why an output refused something.
public enum OutputError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The driver refused the configuration; the text says which and with what errno.
  case rejected(String)
  /// The last commit has not reached the screen yet.
  case busy
  /// The output is unplugged, or its card is gone or lost to another DRM master.
  case gone(String)

  /// The error for a person.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .rejected(let why): why
    case .busy: "the last commit has not reached the screen yet"
    case .gone(let why): why
    }
  }
}

/// A buffer that an output can scan out; freed when nobody holds it.
public protocol ScanoutBuffer: AnyObject {
  /// The picture in it.
  var layout: FrameLayout { get }
  /// What `descriptor()` gives.
  var memoryKind: MemoryKind { get }
  /// Bytes to map.
  var byteCount: Int { get }
  /// A new descriptor of its memory, for a client to map.
  func descriptor() throws(OutputError) -> OwnedFD
  /// Maps it for reading, for snapshots and composition; kept for the buffer's life.
  func mapped() throws(OutputError) -> MappedBuffer
}

/// A cursor picture and its place.
public struct CursorState {
  /// A buffer of the output's cursor size, ARGB8888 premultiplied.
  public var buffer: any ScanoutBuffer
  /// Pixels from the left of the output; may be negative.
  public var x: Int
  /// Pixels from the top of the output; may be negative.
  public var y: Int

  /// A cursor with its picture's upper left corner at (x, y).
  public init(buffer: any ScanoutBuffer, x: Int, y: Int) {
    self.buffer = buffer
    self.x = x
    self.y = y
  }
}

/// What an output shows from the next vblank on.
public struct OutputFrame {
  /// The picture; nil blanks the output.
  public var buffer: (any ScanoutBuffer)?
  /// The part of the buffer that is shown, in the buffer's pixels.
  public var source: Rect
  /// What changed since the last commit, in the buffer's pixels.
  public var damage: DamageRegion
  /// The cursor; nil hides it.
  public var cursor: CursorState?
  /// Pictures over this one, on planes of their own.
  public var overlays = Overlays()
  /// Whether the display follows this output's commits from this one on (`OutputInfo.variableMillihertz`).
  public var isVariable = false

  /// A frame of that buffer.
  public init(buffer: (any ScanoutBuffer)?, source: Rect, damage: DamageRegion, cursor: CursorState?) {
    self.buffer = buffer
    self.source = source
    self.damage = damage
    self.cursor = cursor
  }
}

/// How a picture of some size reaches an output.
public enum FitMethod: Equatable, Sendable {
  /// The output changes to, or has, a mode of that size.
  case mode(DisplayMode)
  /// The plane shows it at (x, y) of the current mode, black around.
  case centered(x: Int, y: Int)
  /// The driver can do neither: it must be composed into a buffer of the current mode. The text says why.
  case compose(String)
}

/// A picture of an output, as its hardware or the daemon made it.
public struct OutputPicture {
  /// XRGB8888 rows.
  public var buffer: MappedBuffer
  /// Whether the hardware wrote it (a KMS writeback connector).
  public var fromWriteback: Bool

  /// A picture.
  public init(buffer: MappedBuffer, fromWriteback: Bool) {
    self.buffer = buffer
    self.fromWriteback = fromWriteback
  }
}

/// What an output tells of.
public enum OutputEvent: Sendable {
  /// The last commit is on screen.
  case flipped(timeNanoseconds: UInt64, sequence: UInt64)
  /// `info` has changed, other than by a commit of the owner: plugged, unplugged, other modes.
  case changed
  /// The lessee has let go of its lease; the owner ends it.
  case leaseEnded
}

/// What is known of an output.
public struct OutputInfo: Equatable, Sendable {
  /// `headless-0`, `HDMI-A-1`, …
  public var name: String
  /// KMS or headless.
  public var kind: OutputKind
  /// Whether there is a monitor. A headless output always has one.
  public var connected: Bool
  /// The current mode.
  public var mode: DisplayMode
  /// All modes, preferred first. A headless output takes any size and lists its configured one.
  public var modes: [DisplayMode]
  /// Physical size in millimetres; 0 where unknown.
  public var widthMillimetres: Int
  /// Physical size in millimetres; 0 where unknown.
  public var heightMillimetres: Int
  /// The monitor's EDID; empty where it has none.
  public var edid: [UInt8]
  /// Width and height in pixels of the cursor plane's pictures; 0 without a cursor plane.
  public var cursorSize: Int
  /// Where the buffers made for it lie.
  public var memoryKind: MemoryKind
  /// The rates in frames per 1000 seconds between which the display can follow commits; nil where it cannot. The lower
  /// one is 0 where the monitor does not say.
  public var variableMillihertz: ClosedRange<Int>?

  /// All fields but `variableMillihertz`, which is nil.
  public init(
    name: String, kind: OutputKind, connected: Bool, mode: DisplayMode, modes: [DisplayMode], widthMillimetres: Int,
    heightMillimetres: Int, edid: [UInt8], cursorSize: Int, memoryKind: MemoryKind
  ) {
    self.name = name
    self.kind = kind
    self.connected = connected
    self.mode = mode
    self.modes = modes
    self.widthMillimetres = widthMillimetres
    self.heightMillimetres = heightMillimetres
    self.edid = edid
    self.cursorSize = cursorSize
    self.memoryKind = memoryKind
  }
}

/// Counters of an output since it was opened.
public struct OutputCounters: Equatable, Sendable {
  /// Commits that changed something on screen.
  public var commits: UInt64 = 0
  /// Commits that reached the screen a vblank or more later than the one after them.
  public var missedVblanks: UInt64 = 0

  /// Nothing yet.
  public init() {}
}

/// A screen: one CRTC with its connector, or a timer that stands for one.
///
/// Used from the daemon's one thread. At most one commit is under way; its end is told by `.flipped`. Without commits
/// an output costs nothing: no timer runs, no event comes.
public protocol Output: AnyObject {
  /// What is known of it now.
  var info: OutputInfo { get }
  /// `info.mode`, for every flip.
  var currentMode: DisplayMode { get }
  /// Counters since it was opened.
  var counters: OutputCounters { get }
  /// Whether a commit has not yet reached the screen.
  var isCommitPending: Bool { get }
  /// Called on the daemon's thread; set once by the owner.
  var onEvent: ((OutputEvent) -> Void)? { get set }

  /// A buffer that the CPU draws into and this output shows.
  func makeBuffer(width: Int, height: Int, format: PixelFormat) throws(OutputError) -> any ScanoutBuffer
  /// A buffer for the cursor plane: `info.cursorSize` square (64 where that is 0), ARGB8888.
  func makeCursorBuffer() throws(OutputError) -> any ScanoutBuffer
  /// A client's own pages (memfd ranges) or dma-buf as a buffer of this output, without moving a byte.
  func importBuffer(_ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64) throws(OutputError)
    -> any ScanoutBuffer
  /// How a picture of that size and format would be shown; asks the driver (TEST_ONLY) where it must.
  ///
  /// - Parameter keeping: where several share the output, the one mode that it may change to; nil where it may take any
  ///   of its modes.
  func fit(_ buffer: any ScanoutBuffer, source: Rect, keeping: DisplayMode?) -> FitMethod
  /// How many overlay planes there are beside the frame's own, at most `Overlays.capacity`.
  var overlayCount: Int { get }
  /// The overlay planes that could show a buffer by its format, one bit each.
  func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64
  /// Whether the hardware would show a frame with those overlays in the current mode (TEST_ONLY).
  func accepts(_ frame: OutputFrame) -> Bool
  /// Shows the frame at the next vblank and returns at once; `.busy` while a commit is pending.
  func commit(_ frame: OutputFrame, fit: FitMethod) throws(OutputError)
  /// What the hardware puts out now (a writeback connector), or nil where it has no such thing.
  func capture() throws(OutputError) -> MappedBuffer?
  /// Puts back what was on screen before this program and lets go of the hardware.
  func close()
  /// Why it cannot be leased now; nil where it can.
  var leaseObjection: String? { get }
  /// Takes everything off the screen, for a lessee. A commit, unless the screen is off.
  func clearForLease() throws(OutputError)
  /// Leases a cleared output.
  func makeLease() throws(OutputError) -> OutputLease
  /// Takes the lease back, or the clearing, and shows the last picture again, or nothing. A commit.
  func endLease(showsPicture: Bool)
}

extension Output {
  /// Out of `info`.
  public var currentMode: DisplayMode { info.mode }

  /// What is no DRM device cannot be leased.
  public var leaseObjection: String? { "\(info.name) is \(info.kind.rawValue): it has no DRM device to lease" }

  /// Refused.
  public func clearForLease() throws(OutputError) { throw .rejected(leaseObjection ?? "") }

  /// Refused.
  public func makeLease() throws(OutputError) -> OutputLease { throw .rejected(leaseObjection ?? "") }

  /// Nothing: there is none.
  public func endLease(showsPicture: Bool) {}

  /// How a picture would be shown on an output that nobody shares.
  public func fit(_ buffer: any ScanoutBuffer, source: Rect) -> FitMethod { fit(buffer, source: source, keeping: nil) }
}

/// Memory that a client owns.
public enum ImportedMemory {
  /// Ranges of sealed memfds in order, and the descriptors that the ranges name.
  case memfd([MemoryRange], [SharedFD])
  /// One dma-buf.
  case dmaBuf(SharedFD)
}
