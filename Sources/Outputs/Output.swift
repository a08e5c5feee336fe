public import GraphicsMemory
public import LinuxIO
public import Scanout

/// The kinds of outputs.
public enum OutputKind: String, Sendable {
  /// A timer that stands for the vblank, without a monitor.
  case headless
  /// A CRTC and a connector of a DRM card.
  case kms
}

/// Why an output refused a request.
public enum OutputError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// The driver refused the configuration; the text names it and the errno.
  case rejected(String)
  /// The last commit has not reached the screen yet.
  case busy
  /// The output is unplugged, or its card is gone or lost to another DRM master.
  case gone(String)

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .rejected(let why): why
    case .busy: "the last commit has not reached the screen yet"
    case .gone(let why): why
    }
  }
}

/// A buffer that an output can scan out; it is freed with its last reference.
public protocol ScanoutBuffer: AnyObject {
  /// The layout of the pixels.
  var layout: FrameLayout { get }
  /// The kind of memory that `descriptor()` returns.
  var memoryKind: MemoryKind { get }
  /// The bytes to map.
  var byteCount: Int { get }
  /// A new descriptor of the memory, for a client to map.
  func descriptor() throws(OutputError) -> OwnedFD
  /// Maps the buffer for reading by snapshots and composition; the mapping lasts as long as the buffer.
  ///
  /// Call `refresh` before reading: some memory can only be copied for the reader (`GatheredPages`).
  func mapped() throws(OutputError) -> MappedBuffer
  /// Copies the current pixels of a rectangle to the memory of `mapped()`, if that is not the buffer's own.
  func refresh(_ rect: Rect)
  /// The bytes that `refresh` has copied since the buffer was made.
  var gatheredBytes: UInt64 { get }
  /// Whether memory of the buffer was missing when it was read: its client has taken it away.
  var isSpoilt: Bool { get }
}

extension ScanoutBuffer {
  /// Does nothing: most memory can be mapped as it is.
  public func refresh(_ rect: Rect) {}
  /// 0: most memory can be mapped as it is.
  public var gatheredBytes: UInt64 { 0 }
  /// False: the daemon's own memory cannot be taken away.
  public var isSpoilt: Bool { false }
}

/// A cursor image and its position.
public struct CursorState {
  /// A buffer of the output's cursor size, ARGB8888 premultiplied.
  public var buffer: any ScanoutBuffer
  /// Pixels from the left of the output; may be negative.
  public var x: Int
  /// Pixels from the top of the output; may be negative.
  public var y: Int

  /// A cursor whose upper left corner is at (x, y).
  public init(buffer: any ScanoutBuffer, x: Int, y: Int) {
    self.buffer = buffer
    self.x = x
    self.y = y
  }
}

/// The content of an output from the next vblank on.
public struct OutputFrame {
  /// The buffer; nil blanks the output.
  public var buffer: (any ScanoutBuffer)?
  /// The part of the buffer that is shown, in the buffer's pixels.
  public var source: Rect
  /// The rectangles that changed since the last commit, in the buffer's pixels.
  public var damage: DamageRegion
  /// The cursor; nil hides it.
  public var cursor: CursorState?
  /// Buffers on overlay planes above this one.
  public var overlays = Overlays()
  /// Whether the display follows this output's commits from this commit on (`OutputInfo.variableMillihertz`).
  public var isVariable = false

  /// A frame of that buffer.
  public init(buffer: (any ScanoutBuffer)?, source: Rect, damage: DamageRegion, cursor: CursorState?) {
    self.buffer = buffer
    self.source = source
    self.damage = damage
    self.cursor = cursor
  }
}

/// How a buffer of some size is shown on an output.
public enum FitMethod: Equatable, Sendable {
  /// The output has a mode of that size, or switches to it.
  case mode(DisplayMode)
  /// The plane shows it at (x, y) of the current mode, surrounded by black.
  case centered(x: Int, y: Int)
  /// The driver supports neither: it must be composed into a buffer of the current mode. The text has the reason.
  case compose(String)
}

/// A picture of an output, written by its hardware or composed by the daemon.
public struct OutputPicture {
  /// XRGB8888 rows.
  public var buffer: MappedBuffer
  /// Whether the hardware wrote it (a KMS writeback connector).
  public var fromWriteback: Bool

  /// A picture of an output.
  public init(buffer: MappedBuffer, fromWriteback: Bool) {
    self.buffer = buffer
    self.fromWriteback = fromWriteback
  }
}

/// Events of an output.
public enum OutputEvent: Sendable {
  /// The last commit is on screen.
  case flipped(timeNanoseconds: UInt64, sequence: UInt64)
  /// `info` changed for another reason than a commit: plugged, unplugged, other modes.
  case changed
  /// The lessee closed its lease; the owner must end it.
  case leaseEnded
}

/// The description of an output.
public struct OutputInfo: Equatable, Sendable {
  /// `headless-0`, `HDMI-A-1`, …
  public var name: String
  /// KMS or headless.
  public var kind: OutputKind
  /// Whether there is a monitor. A headless output always has one.
  public var connected: Bool
  /// The current mode.
  public var mode: DisplayMode
  /// All modes, the preferred one first. A headless output takes any size and lists its configured mode.
  public var modes: [DisplayMode]
  /// Physical width in millimetres; 0 if unknown.
  public var widthMillimetres: Int
  /// Physical height in millimetres; 0 if unknown.
  public var heightMillimetres: Int
  /// The monitor's EDID; empty if it has none.
  public var edid: [UInt8]
  /// Width and height in pixels of the cursor plane; 0 without one.
  public var cursorSize: Int
  /// The kind of memory of the buffers made for this output.
  public var memoryKind: MemoryKind
  /// The rates in frames per 1000 seconds between which the display can follow commits; nil if it cannot. The lower one
  /// is 0 if the monitor does not report it.
  public var variableMillihertz: ClosedRange<Int>?

  /// All fields except `variableMillihertz`, which is nil.
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

/// Counters since the output was opened.
public struct OutputCounters: Equatable, Sendable {
  /// Commits that changed something on screen.
  public var commits: UInt64 = 0
  /// Commits that reached the screen one or more vblanks late.
  public var missedVblanks: UInt64 = 0

  /// All zero.
  public init() {}
}

/// An output: a CRTC with its connector, or a timer in their place.
///
/// Used from the daemon's thread only. At most one commit is pending; `.flipped` ends it. An output without commits
/// costs nothing: there are no timers and no events.
public protocol Output: AnyObject {
  /// The current description.
  var info: OutputInfo { get }
  /// `info.mode`, without building the whole `info`: it is read at every flip.
  var currentMode: DisplayMode { get }
  /// Counters since the output was opened.
  var counters: OutputCounters { get }
  /// Whether the last commit is not on screen yet.
  var isCommitPending: Bool { get }
  /// The event handler; set once by the owner, and called on the daemon's thread.
  var onEvent: ((OutputEvent) -> Void)? { get set }

  /// A buffer for the CPU to draw into, which this output can show.
  func makeBuffer(width: Int, height: Int, format: PixelFormat) throws(OutputError) -> any ScanoutBuffer
  /// A buffer for the cursor plane: `info.cursorSize` square (64 if that is 0), ARGB8888.
  func makeCursorBuffer() throws(OutputError) -> any ScanoutBuffer
  /// Imports a client's memory (memfd ranges or a dma-buf) as a buffer of this output, without copying.
  func importBuffer(_ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64) throws(OutputError)
    -> any ScanoutBuffer
  /// How a picture of this size and format would be shown. Asks the driver (TEST_ONLY) if necessary.
  ///
  /// - Parameter keeping: the only mode that the output may switch to, if it is shared; nil if it may take any of its
  ///   modes.
  func fit(_ buffer: any ScanoutBuffer, source: Rect, keeping: DisplayMode?) -> FitMethod
  /// The number of overlay planes, at most `Overlays.capacity`.
  var overlayCount: Int { get }
  /// The overlay planes that support a buffer's format, as one bit each.
  func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64
  /// Whether the hardware accepts a frame with overlays in the current mode (TEST_ONLY).
  func accepts(_ frame: OutputFrame) -> Bool
  /// Shows the frame at the next vblank. Returns at once; throws `.busy` while a commit is pending.
  func commit(_ frame: OutputFrame, fit: FitMethod) throws(OutputError)
  /// The picture that the hardware scans out now (by a writeback connector), or nil if it cannot be read.
  func capture() throws(OutputError) -> MappedBuffer?
  /// Restores the picture from before this program and releases the hardware.
  func close()
  /// The reason why the output cannot be leased now; nil if it can.
  var leaseObjection: String? { get }
  /// Clears all planes for a lessee. This is a commit, unless the output is off.
  func clearForLease() throws(OutputError)
  /// Leases a cleared output.
  func makeLease() throws(OutputError) -> OutputLease
  /// Ends the lease, or the clearing, and shows the last picture again if `showsPicture`. This is a commit.
  func endLease(showsPicture: Bool)
}

extension Output {
  /// `info.mode`.
  public var currentMode: DisplayMode { info.mode }

  /// An output without a DRM device cannot be leased.
  public var leaseObjection: String? { "\(info.name) is \(info.kind.rawValue): it has no DRM device to lease" }

  /// Always refused.
  public func clearForLease() throws(OutputError) { throw .rejected(leaseObjection ?? "") }

  /// Always refused.
  public func makeLease() throws(OutputError) -> OutputLease { throw .rejected(leaseObjection ?? "") }

  /// Does nothing: there is no lease.
  public func endLease(showsPicture: Bool) {}

  /// How a picture would be shown on an output that is not shared.
  public func fit(_ buffer: any ScanoutBuffer, source: Rect) -> FitMethod { fit(buffer, source: source, keeping: nil) }
}

/// Memory of a client.
public enum ImportedMemory {
  /// Ranges of sealed memfds, and the descriptors that they index.
  case memfd([MemoryRange], [SharedFD])
  /// One dma-buf.
  case dmaBuf(SharedFD)
}
