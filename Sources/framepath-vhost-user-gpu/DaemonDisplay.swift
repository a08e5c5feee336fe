import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import VirtioGPU

/// The daemon as the device's display: calls become messages, events become calls of the device.
final class DaemonDisplay: GPUDisplay {
  /// Called when the guest must be notified that its monitors have changed.
  var onHeadsChanged: (() -> Void)?
  /// Called after each event, for the device's next deadline.
  var afterEvent: (() -> Void)?
  /// Called when the daemon has accepted this VM.
  var onWelcome: (() -> Void)?
  /// Called with the host's settings for the device.
  var onDeviceSettings: ((DeviceSettings) -> Void)?
  /// Called when the daemon refuses this VM for good.
  var onHopelessRefusal: (() -> Void)?
  /// Whether the daemon has not answered this VM's HELLO yet.
  var isUnanswered: Bool { client.isUnanswered }

  private let client: PresentClient
  private let log: Log
  private weak var device: Device?
  private var isWelcomed = false
  /// Whether the daemon has described every head since WELCOME.
  private var isComplete = false
  /// The monitors as reported to the guest; kept while the daemon is away, so that the guest sees no change.
  private var heads: [HeadDescription?]
  private var lastRefusal = ""

  /// A display with `scanoutCount` heads on the named outputs; if `outputs` is empty, on any free ones.
  ///
  /// - Parameter connect: connects to the daemon, which the worker may not itself.
  init(
    loop: EventLoop, path: String, vm: String, outputs: [String], scanoutCount: Int, log: Log,
    connect: @escaping DaemonConnector
  ) throws(SystemError) {
    heads = Array(repeating: nil, count: scanoutCount)
    self.log = log
    client = try PresentClient(
      loop: loop, path: path, hello: Hello(kind: .vm, name: vm, scanoutCount: scanoutCount, outputs: outputs),
      connect: connect)
  }

  /// Connects; the daemon may come later.
  func start(device: Device) throws(SystemError) {
    self.device = device
    client.onEvent = { [weak self] in self?.handle($0) }
    client.onConnectFailure = { [weak self] in self?.notConnected($0) }
    try client.start()
  }

  /// Logs why the first attempt failed; those that follow are silent.
  private func notConnected(_ error: SystemError) {
    client.onConnectFailure = nil
    if error.isNobodyListening {
      log.info("framepathd is not running at \(client.path) yet; waiting")
    } else if error.isDenied {
      log.warning(
        "user \(currentUserID()) may not connect to framepathd at \(client.path), retrying: start framepathd with "
          + "--socket-group, a group of this user, and --socket-mode 660")
    } else {
      log.warning("cannot connect to framepathd, retrying: \(error)")
    }
  }

  /// Delivers the daemon's events until `isDone` returns true, for at most `milliseconds`.
  func deliverEvents(milliseconds: Int, until isDone: () -> Bool) {
    client.deliverEvents(milliseconds: milliseconds, until: isDone)
  }

  /// Tells the daemon what is in force in the device.
  func report(_ settings: DeviceSettings) { client.report(settings) }

  private func handle(_ event: PresentEvent) {
    guard let device else { return }
    switch event {
    case .welcomed:
      client.onConnectFailure = nil
      isWelcomed = true
      onWelcome?()
    case .deviceSettings(let settings): onDeviceSettings?(settings)
    case .output(let output, let buffersLost):
      handle(output, buffersLost: buffersLost, device)
    case .frameDone(let done):
      device.frameDone(
        scanout: Int(done.scanout), frame: done.frame, outcome: FrameOutcome(done.outcome),
        timeNanoseconds: done.timeNanoseconds)
    case .released(let id, scanout: _):
      device.bufferReleased(id)
    case .refused(let refusal):
      let text = "framepathd refuses this VM: \(refusal.message.text)"
      if refusal.mayHeal { log.warning("\(text); retrying") } else { log.error(text) }
      if !refusal.mayHeal { onHopelessRefusal?() }
    case .error(let error):
      log.warning("framepathd: \(error.text)")
    case .regionNews: break
    case .lost(let why):
      if isWelcomed { log.warning("lost framepathd (\(why)); the guest keeps running until it returns") }
      isWelcomed = false
      isComplete = false
      device.displayLost()
    }
    afterEvent?()
  }

  private func handle(_ output: OutputDescription, buffersLost: Bool, _ device: Device) {
    let scanout = Int(output.scanout)
    guard heads.indices.contains(scanout) else { return }
    let head = HeadDescription(output)
    let isNews = heads[scanout] != head
    heads[scanout] = head
    if isNews {
      let place = output.parked ? "parked, no free output" : output.name
      log.info("scanout \(scanout): \(place), \(output.mode)\(output.connected ? "" : ", unplugged")")
    }
    if !isComplete {
      isComplete = heads.indices.allSatisfy { client.output($0) != nil }
      if isComplete { device.displayRestored() }
    } else if buffersLost {
      device.buffersLost(scanout: scanout)
    }
    if isNews {
      device.headsChanged()
      onHeadsChanged?()
    }
  }

  // MARK: GPUDisplay

  func head(_ scanout: Int) -> HeadDescription? {
    guard heads.indices.contains(scanout) else { return nil }
    // Without a monitor the guest would not set a mode at boot, so report one before the daemon's first answer.
    return heads[scanout]
      ?? HeadDescription(
        connected: scanout == 0, mode: DisplayMode(width: 1024, height: 768, refreshMillihertz: 60_000),
        name: "Framepath")
  }

  func makeBuffer(scanout: Int, width: Int, height: Int, format: PixelFormat) -> HostBuffer? {
    make(scanout: scanout, width: width, height: height, format: format, usage: .frame)
  }

  func makeCursorBuffer(scanout: Int) -> HostBuffer? {
    make(scanout: scanout, width: 64, height: 64, format: .argb8888, usage: .cursor)
  }

  private func make(
    scanout: Int, width: Int, height: Int, format: PixelFormat, usage: BufferUsage
  ) -> HostBuffer? {
    do throws(PresentClientError) {
      let buffer = try client.createBuffer(
        scanout: scanout, width: width, height: height, format: format, usage: usage)
      return HostBuffer(id: buffer.id, mapped: buffer.mapped)
    } catch {
      // A guest may retry for ever: log a repeated refusal once.
      let refusal = "no \(width)x\(height) \(format.name) buffer for scanout \(scanout): \(error)"
      if isWelcomed && refusal != lastRefusal { log.warning(refusal) }
      lastRefusal = refusal
      return nil
    }
  }

  func importBuffer(scanout: Int, layout: FrameLayout, ranges: [MemoryRange]) -> BufferImport {
    do throws(PresentClientError) {
      return .imported(id: try client.importBuffer(scanout: scanout, layout: layout, pages: .memfd(ranges)))
    } catch {
      switch error {
      case .refused(let message) where message.code != .stale: return .refused(reason: message.text)
      case .failed(let why): return .refused(reason: why)
      case .refused, .notConnected, .timedOut: return .unavailable(reason: error.description)
      }
    }
  }

  func destroyBuffer(_ id: UInt32) { client.destroyBuffer(id) }

  func present(_ frame: FrameSubmission) {
    client.present(
      PresentFrame(
        scanout: frame.scanout, frame: frame.frame, bufferID: frame.bufferID, source: frame.source,
        damage: frame.damage, path: PresentPath(frame.path), copiedBytes: frame.copiedBytes,
        readyNanoseconds: frame.readyNanoseconds))
  }

  func disable(scanout: Int) { client.disable(scanout: scanout) }

  func setCursor(scanout: Int, bufferID: UInt32?, x: Int, y: Int, hotX: Int, hotY: Int) {
    client.setCursor(scanout: scanout, bufferID: bufferID, x: x, y: y, hotX: hotX, hotY: hotY)
  }

  func setPath(scanout: Int, path: FramePath, reason: String) {
    client.setPath(scanout: scanout, path: PresentPath(path), reason: reason)
  }
}

extension HeadDescription {
  fileprivate init(_ output: OutputDescription) {
    self.init(
      connected: output.connected, mode: output.mode, widthMillimetres: output.widthMillimetres,
      heightMillimetres: output.heightMillimetres, edid: output.edid, name: output.name)
  }
}

extension FrameOutcome {
  fileprivate init(_ outcome: PresentOutcome) {
    switch outcome {
    case .flipped: self = .flipped
    case .superseded: self = .superseded
    case .rejected: self = .rejected
    }
  }
}

extension PresentPath {
  fileprivate init(_ path: FramePath) {
    switch path {
    case .direct: self = .direct
    case .copy: self = .copy
    case .blit: self = .blit
    }
  }
}
