package import GraphicsMemory
package import LinuxIO
package import Outputs
package import Scanout

/// Memory of a fake output.
package final class FakeBuffer: ScanoutBuffer {
  package let layout: FrameLayout
  package let memoryKind = MemoryKind.memfd
  private let mapping: MappedBuffer

  package init(_ layout: FrameLayout) throws(OutputError) {
    self.layout = layout
    do throws(SystemError) {
      let fd = SharedFD(try MemFD.create(name: "fake", byteCount: layout.byteCount))
      mapping = try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: layout.byteCount)
    } catch {
      throw .system(error)
    }
  }

  package var byteCount: Int { layout.byteCount }
  package func mapped() throws(OutputError) -> MappedBuffer { mapping }
  package func descriptor() throws(OutputError) -> OwnedFD {
    do throws(SystemError) { return try mapping.fd.duplicate() } catch { throw .system(error) }
  }
}

/// An output whose vblanks are triggered by a test, and which records every commit.
package final class FakeOutput: Output {
  package var info: OutputInfo {
    get {
      infoReads += 1
      return currentInfo
    }
    set { currentInfo = newValue }
  }
  private var currentInfo: OutputInfo
  /// The number of reads of `info`.
  package private(set) var infoReads = 0
  package var counters = OutputCounters()
  package var onEvent: ((OutputEvent) -> Void)?
  package private(set) var isClosed = false

  /// The result of `fit`.
  package var fitAnswer: (Rect) -> FitMethod
  package private(set) var fitQuestions = 0
  /// The `keeping` mode of each call of `fit`.
  package private(set) var keptModes: [DisplayMode?] = []
  /// The errors of the next commits.
  package var refusals: [OutputError] = []
  /// The error of `importBuffer`.
  package var importRefusal: OutputError?
  /// Makes the buffers of `importBuffer`; nil: memory of their own.
  package var imports: ((FrameLayout) throws(OutputError) -> any ScanoutBuffer)?
  /// The result of `fit` for imported buffers; nil: the same as for others.
  package var importedFit: FitMethod?
  private var imported: [FakeBuffer] = []
  /// Overlay planes, and which of them take a frame.
  package var overlayCount = 0
  package var acceptsOverlays: (Overlays) -> Bool = { _ in true }
  package private(set) var overlayQuestions = 0
  package var captured: MappedBuffer?
  package private(set) var commits: [(frame: OutputFrame, fit: FitMethod)] = []
  package private(set) var pending: OutputFrame?
  package private(set) var shown: OutputFrame?
  private var sequence: UInt64 = 100
  /// The time of vblanks; without it each is a microsecond after the last one.
  package var clock: HandClock?

  package init(
    _ name: String = "fake-0", width: Int = 64, height: Int = 48, cursorSize: Int = 64, fit: FitMethod? = nil,
    refreshMillihertz: Int = 60_000
  ) {
    let mode = DisplayMode(width: width, height: height, refreshMillihertz: refreshMillihertz)
    currentInfo = OutputInfo(
      name: name, kind: .headless, connected: true, mode: mode, modes: [mode], widthMillimetres: 160,
      heightMillimetres: 90, edid: [1, 2, 3], cursorSize: cursorSize, memoryKind: .memfd)
    fitAnswer = { _ in fit ?? .mode(mode) }
  }

  package var isCommitPending: Bool { pending != nil }

  package func makeBuffer(width: Int, height: Int, format: PixelFormat) throws(OutputError) -> any ScanoutBuffer {
    guard let layout = FrameLayout(width: width, height: height, strideBytes: width * 4, format: format) else {
      throw .rejected("no such size")
    }
    return try FakeBuffer(layout)
  }

  package func makeCursorBuffer() throws(OutputError) -> any ScanoutBuffer {
    let size = info.cursorSize == 0 ? 64 : info.cursorSize
    return try makeBuffer(width: size, height: size, format: .argb8888)
  }

  package func importBuffer(
    _ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64
  ) throws(OutputError) -> any ScanoutBuffer {
    if let importRefusal { throw importRefusal }
    if let imports { return try imports(layout) }
    let buffer = try FakeBuffer(layout)
    imported.append(buffer)
    return buffer
  }

  package func fit(_ buffer: any ScanoutBuffer, source: Rect, keeping: DisplayMode?) -> FitMethod {
    fitQuestions += 1
    keptModes.append(keeping)
    if let importedFit, imported.contains(where: { $0 === buffer }) { return importedFit }
    return fitAnswer(source)
  }

  package func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64 {
    UInt64.max >> UInt64(64 - max(1, overlayCount))
  }

  package func accepts(_ frame: OutputFrame) -> Bool {
    overlayQuestions += 1
    return acceptsOverlays(frame.overlays)
  }

  package func commit(_ frame: OutputFrame, fit: FitMethod) throws(OutputError) {
    if pending != nil { throw .busy }
    if !refusals.isEmpty { throw refusals.removeFirst() }
    commits.append((frame, fit))
    counters.commits += 1
    pending = frame
  }

  package func capture() throws(OutputError) -> MappedBuffer? { captured }

  package func close() { isClosed = true }

  // MARK: Leases

  /// Whether it can be leased, and what has been done for leases.
  package var isLeasable = false
  package private(set) var leaseSteps: [String] = []
  private var beforeLease: OutputFrame?

  package var leaseObjection: String? { isLeasable ? nil : "\(info.name) is headless: it has no DRM device to lease" }

  package func clearForLease() throws(OutputError) {
    if pending != nil { throw .busy }
    leaseSteps.append("clear")
    beforeLease = shown
    pending = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil)
  }

  package func makeLease() throws(OutputError) -> OutputLease {
    do throws(SystemError) {
      leaseSteps.append("lease")
      let fd = SharedFD(try MemFD.create(name: "lease", byteCount: 4096))
      return OutputLease(descriptor: fd, lesseeID: 7, connectorID: 42, crtcID: 37, planeID: 31)
    } catch {
      throw .system(error)
    }
  }

  package func endLease(showsPicture: Bool) {
    leaseSteps.append(showsPicture ? "show" : "dark")
    pending = showsPicture ? beforeLease : nil
    beforeLease = nil
    if pending == nil { pending = OutputFrame(buffer: nil, source: .empty, damage: DamageRegion(), cursor: nil) }
  }

  /// The kernel reports that the lessee has closed its lease.
  package func loseLessee() { onEvent?(.leaseEnded) }

  /// The pending commit reaches the screen.
  package func vblank() {
    sequence += 1
    guard let pending else { return }
    shown = pending
    self.pending = nil
    onEvent?(.flipped(timeNanoseconds: clock?.nowNanoseconds ?? sequence * 1000, sequence: sequence))
  }

  /// The monitor is plugged in or out.
  package func plug(_ connected: Bool) {
    info.connected = connected
    if !connected { pending = nil }
    onEvent?(.changed)
  }
}
