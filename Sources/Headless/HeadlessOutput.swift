public import GraphicsMemory
public import LinuxIO
public import Outputs
public import Scanout

/// An output without a monitor; an absolute timer takes the place of the vblank.
///
/// A commit latches at once and is on screen at the next vblank of the mode's grid. The mode follows the size of the
/// picture, so nothing is scaled or composed. The timer runs only while a commit is pending; sequence numbers count the
/// vblanks of idle times too.
public final class HeadlessOutput: Output {
  /// Width and height of the cursor in pixels; the daemon draws it into snapshots.
  public static let cursorSize = 64

  private let name: String
  private let configured: DisplayMode
  private let slowestMillihertz: Int?
  /// The mode of the last picture.
  public private(set) var currentMode: DisplayMode
  private var grid: VblankGrid
  private let loop: EventLoop
  private let timer: TimerFD
  private var source: EventLoop.Source?
  private var pending = Pictures()
  private var pendingSequence: UInt64 = 0
  private var pendingTime: UInt64 = 0
  /// The refreshes of a display with a variable rate; nil for a fixed rate.
  private var variable: VariableVblanks?
  private var shown = Pictures()
  private var isClosed = false

  /// Buffers that are kept until the next commit is on screen.
  private struct Pictures {
    var frame: (any ScanoutBuffer)?
    var cursor: (any ScanoutBuffer)?
  }

  /// Counters since the output was opened. No vblank is missed: the timer reaches every one.
  public private(set) var counters = OutputCounters()
  /// The event handler; set once by the owner, and called on the loop's thread.
  public var onEvent: ((OutputEvent) -> Void)?

  /// An output with that mode, whose vblank grid starts now.
  ///
  /// - Parameters:
  ///   - slowestMillihertz: for a display with a variable rate, its lowest one; nil for a fixed rate.
  ///   - loop: the loop that delivers flips; the output is used on its thread only.
  public init(
    name: String, mode: DisplayMode, slowestMillihertz: Int? = nil, loop: EventLoop
  ) throws(OutputError) {
    guard HeadlessOutput.accepts(mode) else { throw .rejected("a headless output cannot have the mode \(mode)") }
    if let slowestMillihertz, !(1...mode.refreshMillihertz).contains(slowestMillihertz) {
      throw .rejected("\(slowestMillihertz) to \(mode.refreshMillihertz) mHz is not a range of refresh rates")
    }
    self.slowestMillihertz = slowestMillihertz
    self.name = name
    currentMode = mode
    self.loop = loop
    configured = mode
    grid = VblankGrid(
      epochNanoseconds: monotonicNanoseconds(), firstSequence: 0, refreshMillihertz: UInt64(mode.refreshMillihertz))
    do {
      timer = try TimerFD()
      // Edge-triggered: an expiry need not be read.
      source = try loop.add(timer.fd.raw, [.readable, .edge]) { [unowned self] _ in vblank() }
    } catch {
      throw .system(error)
    }
  }

  deinit { if let source { loop.remove(source) } }

  /// The current description.
  public var info: OutputInfo {
    var info = OutputInfo(
      name: name, kind: .headless, connected: !isClosed, mode: currentMode, modes: [configured], widthMillimetres: 0,
      heightMillimetres: 0, edid: [], cursorSize: HeadlessOutput.cursorSize, memoryKind: .memfd)
    info.variableMillihertz = slowestMillihertz.map { $0...currentMode.refreshMillihertz }
    return info
  }

  /// Whether the last commit is not on screen yet.
  public private(set) var isCommitPending = false

  /// A sealed memfd whose stride is one row, so that a whole frame is copied in one piece.
  public func makeBuffer(width: Int, height: Int, format: PixelFormat) throws(OutputError) -> any ScanoutBuffer {
    let (stride, overflow) = width.multipliedReportingOverflow(by: PixelFormat.bytesPerPixel)
    guard !overflow, let layout = FrameLayout(width: width, height: height, strideBytes: stride, format: format) else {
      throw .rejected("a picture cannot be \(width)x\(height)")
    }
    return try MemfdBuffer(layout: layout)
  }

  /// A memfd of 64 × 64 pixels.
  public func makeCursorBuffer() throws(OutputError) -> any ScanoutBuffer {
    try makeBuffer(width: HeadlessOutput.cursorSize, height: HeadlessOutput.cursorSize, format: .argb8888)
  }

  /// References a client's memory without copying; it is mapped only when it is read.
  public func importBuffer(
    _ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64
  ) throws(OutputError) -> any ScanoutBuffer {
    guard modifier == 0 || modifier == HeadlessOutput.invalidModifier else {
      throw .rejected("a headless output reads linear buffers only, not modifier 0x\(String(modifier, radix: 16))")
    }
    return try ReferencedBuffer(memory, layout: layout)
  }

  /// Always a mode of the picture's size at the current rate.
  public func fit(_ buffer: any ScanoutBuffer, source: Rect, keeping: DisplayMode?) -> FitMethod {
    if source.isEmpty { return .compose("the picture is empty") }
    return .mode(
      DisplayMode(width: source.width, height: source.height, refreshMillihertz: currentMode.refreshMillihertz))
  }

  /// Latches the frame at once; it is on screen at the next vblank.
  public func commit(_ frame: OutputFrame, fit: FitMethod) throws(OutputError) {
    if isClosed { throw .gone("\(name) is closed") }
    if isCommitPending { throw .busy }
    if let buffer = frame.buffer {
      guard buffer.layout.bounds.contains(frame.source), !frame.source.isEmpty else {
        throw .rejected("the source is outside the buffer")
      }
      guard case .mode(let wanted) = fit, wanted.width == frame.source.width, wanted.height == frame.source.height,
        HeadlessOutput.accepts(wanted)
      else { throw .rejected("a headless output shows a picture only in a mode of its size") }
      adopt(wanted)
    }
    pending = Pictures(frame: frame.buffer, cursor: frame.cursor?.buffer)
    isCommitPending = true
    (pendingTime, pendingSequence) = nextVblank(frame.isVariable)
    counters.commits &+= 1
    timer.arm(deadlineNanoseconds: pendingTime)
  }

  /// Nil: there is no hardware to read from.
  public func capture() throws(OutputError) -> MappedBuffer? { nil }

  /// Releases the buffers; later commits fail.
  public func close() {
    isClosed = true
    timer.disarm()
    if let source { loop.remove(source) }
    source = nil
    isCommitPending = false
    pending = Pictures()
    shown = Pictures()
  }

  private static let invalidModifier: UInt64 = 0x00ff_ffff_ffff_ffff

  private static func accepts(_ mode: DisplayMode) -> Bool {
    (1...FrameLayout.maxDimension).contains(mode.width) && (1...FrameLayout.maxDimension).contains(mode.height)
      && (1...1_000_000).contains(mode.refreshMillihertz)
  }

  private func adopt(_ wanted: DisplayMode) {
    if wanted.refreshMillihertz != currentMode.refreshMillihertz {
      grid = grid.changed(toMillihertz: UInt64(wanted.refreshMillihertz), at: monotonicNanoseconds())
    }
    currentMode = wanted
  }

  /// The vblank at which a commit made now is on screen.
  private func nextVblank(_ isVariable: Bool) -> (UInt64, UInt64) {
    let now = monotonicNanoseconds()
    let next = grid.sequence(at: now) + 1
    guard isVariable, let slowestMillihertz else {
      variable = nil
      return (grid.time(of: next), next)
    }
    let vblanks =
      variable
      ?? VariableVblanks(
        slowestMillihertz: UInt64(slowestMillihertz), fastestMillihertz: UInt64(currentMode.refreshMillihertz),
        timeNanoseconds: grid.time(of: next - 1), sequence: next - 1)
    variable = vblanks
    return vblanks.next(after: now)
  }

  private func vblank() {
    // The expiry may be older than the timer's last setting in the same round.
    guard isCommitPending, monotonicNanoseconds() >= pendingTime else { return }
    shown = pending
    pending = Pictures()
    isCommitPending = false
    variable?.shown(timeNanoseconds: pendingTime, sequence: pendingSequence)
    onEvent?(.flipped(timeNanoseconds: pendingTime, sequence: pendingSequence))
  }
}
