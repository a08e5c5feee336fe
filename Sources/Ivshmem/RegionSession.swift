public import HybridRegion
public import LinuxIO
public import PresentClient
import PresentProtocol
import Scanout

/// A region and its guest; the daemon serves the region.
///
/// Owned by the loop's thread. The daemon takes the frames from the region itself and is woken by the guest: this
/// process takes no part in a frame. While no daemon is running, it is the region's host: guests continue at 20 frames
/// a second, and the newest frame is kept for the daemon.
public final class RegionSession {
  /// The region.
  public let memory: SharedFD
  /// The layout of the region.
  public let layout: RegionLayout
  /// The connection to the daemon.
  public let client: PresentClient
  /// The guest raises it.
  public let hostDoorbell: EventFD
  /// The host raises it for a guest that listens.
  public let guestDoorbell: EventFD
  /// Nil if the kernel has none.
  private let raiser: EventRaiser?
  /// The VM's name.
  public let name: String

  /// Called when the daemon refuses this VM for good; the session continues.
  public var onHopelessRefusal: (() -> Void)?

  private let loop: EventLoop
  private let log: (String) -> Void
  private let sharesClock: Bool
  /// Nil while the daemon serves the region.
  private var service: RegionService?
  /// The output's mode, from the daemon's OUTPUT.
  private var output: RegionOutput?
  /// Bit k: slot k has a superseded frame and is released by the timer, which paces the guest.
  private var waitingReleases: UInt64 = 0
  /// For releases, and for the next attempt to serve.
  private let timer: TimerFD
  private var timerSource: EventLoop.Source?

  /// Creates the region.
  ///
  /// - Parameters:
  ///   - daemonPath: the daemon's socket.
  ///   - output: the output's name; nil for any free one.
  ///   - sharesClock: whether the guest is a process of this machine.
  ///   - raiser: raises the guest's doorbell; nil makes one.
  ///   - connect: connects to the daemon, for a process that may not itself.
  ///   - log: gets one line per event; never called for a frame.
  public init(
    loop: EventLoop, name: String, layout: RegionLayout, daemonPath: String, output: String? = nil,
    sharesClock: Bool = false, raiser: EventRaiser? = nil,
    connect: DaemonConnector? = nil, log: @escaping (String) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.raiser = raiser ?? (try? EventRaiser())
    self.name = name
    self.log = log
    self.sharesClock = sharesClock
    self.layout = layout
    memory = SharedFD(try layout.makeMemory())
    hostDoorbell = try EventFD()
    guestDoorbell = try EventFD()
    timer = try TimerFD()
    client = try PresentClient(
      loop: loop, path: daemonPath,
      hello: Hello(kind: .vm, name: name, scanoutCount: 1, outputs: output.map { [$0] } ?? []),
      connect: connect)
    client.onEvent = { [weak self] event in self?.handle(event) }
  }

  /// Starts to serve.
  public func start() throws(SystemError) {
    timerSource = try loop.add(timer.fd.raw, [.readable, .edge]) { [weak self] _ in self?.timerFired() }
    try serve()
    try client.start()
  }

  /// Ends the session: the daemon frees its resources, and the region's state says that no daemon is running.
  public func stop() {
    client.stop()
    // The daemon may not have noticed yet; its only later write is the same state.
    let last = service?.host ?? (try? RegionHost(memory: memory, name: name, layout: layout, sharesClock: sharesClock))
    last?.setState(.ended)
    if last?.guestFlags.contains(.listens) == true { ringGuest() }
    endService()
    if let source = timerSource.take() { loop.remove(source) }
  }

  // MARK: - The daemon

  private func handle(_ event: PresentEvent) {
    switch event {
    case .welcomed: log("\(name): connected to framepathd")
    case .output(let output, _):
      self.output =
        output.connected
        ? RegionOutput(
          width: output.mode.width, height: output.mode.height, refreshMillihertz: output.mode.refreshMillihertz) : nil
      if service != nil { handOver() }
    case .regionNews: ringGuest()
    case .frameDone, .released, .deviceSettings: break
    case .refused(let refusal):
      log("\(name): framepathd refuses it: \(refusal.message.text)\(refusal.mayHeal ? "; retrying" : "")")
      if !refusal.mayHeal { onHopelessRefusal?() }
    case .error(let message):
      log("\(name): framepathd: \(message.text)")
      if message.code == .refused { serveAgain() }
    case .lost(let why):
      log("\(name): \(why)")
      serveAgain()
    }
  }

  /// Hands the region over to the daemon.
  private func handOver() {
    endService()
    // If this fails, the end of the connection follows.
    _ = client.attachRegion(
      scanout: 0, memory: memory.raw, regionByteCount: layout.regionByteCount, slotCount: layout.slotCount,
      sharesClock: sharesClock, hostDoorbell: hostDoorbell.fd.raw, guestDoorbell: guestDoorbell.fd.raw)
  }

  private func serveAgain() {
    if service != nil || timerSource == nil { return }
    do throws(SystemError) {
      try serve()
    } catch {
      log("\(name): the region has no host: \(error)")
      timer.arm(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000_000)
    }
  }

  /// Serves the region until there is a daemon.
  private func serve() throws(SystemError) {
    let host = try RegionHost(memory: memory, name: name, layout: layout, sharesClock: sharesClock)
    let service = try RegionService(host, loop: loop)
    try service.start(doorbell: hostDoorbell.fd.raw, delegate: self)
    self.service = service
    service.setOutput(output, .waiting)
    _ = service.takeOver()
    service.ring()
    service.look()
  }

  private func endService() {
    service?.stop()
    service = nil
    waitingReleases = 0
    timer.disarm()
  }

  // MARK: - Without a daemon

  private func timerFired() {
    guard let service else { return serveAgain() }
    for slot in 0..<layout.slotCount where waitingReleases >> UInt64(slot) & 1 == 1 { service.release(slot) }
    waitingReleases = 0
  }

  /// Rings for this round's events, before the loop waits.
  func ringNow() { if service?.takeRing() == true { ringGuest() } }

  /// Without a raiser, an owner of the eventfd can stop this server, but not the daemon.
  private func ringGuest() { if let raiser { raiser.raise(guestDoorbell.fd.raw) } else { guestDoorbell.signal() } }
}

extension RegionSession: RegionServiceDelegate {
  /// Logs a line about the region under the VM's name.
  public func logRegion(_ text: String) { log("\(name): \(text)") }

  /// The previous client's frames stay until they are replaced.
  public func regionAttached() {}

  /// Releases all slots: without a daemon they would not be released otherwise.
  public func regionDetached() {
    waitingReleases = 0
    guard let service else { return }
    for slot in 0..<layout.slotCount where service.host.heldSlots >> UInt64(slot) & 1 == 1 {
      service.giveUp(slot, .superseded)
    }
  }

  /// Keeps the newest frame for the daemon.
  public func regionPresented(_ frame: RegionFrame, former: Int?) {
    guard let service, let former else { return }
    service.answer(former, .superseded)
    if waitingReleases == 0 { timer.arm(deadlineNanoseconds: monotonicNanoseconds() + 50_000_000) }
    waitingReleases |= 1 << UInt64(former)
  }

  /// `ringNow` is called before each wait.
  public func ringIsDue() {}

  /// Tries again in a second.
  public func regionFailed(_ error: SystemError) {
    log("\(name): \(error)")
    endService()
    timer.arm(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000_000)
  }
}
