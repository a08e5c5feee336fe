public import GuestMemory
public import LinuxIO

/// A frontend's connection to a device: serves the vhost-user protocol on an event loop.
///
/// The session owns the socket, the queues and their eventfds, and keeps `memory` as the frontend describes it. It
/// serves both devices of QEMU 8 to 11: the complete one (`vhost-user-test-device-pci`) and `vhost-user-gpu-pci`.
///
/// - Unknown requests are acknowledged with a failure if the frontend asks for it, else logged and ignored, for future
///   frontends.
/// - Malformed messages end the session with one error. Nothing traps.
/// - Memory that cannot be shared, features that are not supported and invalid rings stop the rings with one error
///   (`refusal`), but the connection stays open, because QEMU aborts when a backend disconnects. The rings run again
///   when the frontend restarts the device.
///
/// Owned by the event loop's thread.
@safe public final class BackendSession<Device: VhostUserDevice> {
  /// The served device.
  public let device: Device
  /// The guest's memory, kept up to date.
  public let memory: GuestMemory
  /// The virtio features that the driver accepted last.
  public private(set) var acceptedFeatures: UInt64 = 0
  /// The protocol features that the frontend accepted.
  public private(set) var protocolFeatures: ProtocolFeatures = []
  /// How the session ended; nil while it runs.
  public private(set) var end: SessionEnd?

  /// Why the rings are stopped although the frontend started them; nil if they are not.
  public internal(set) var refusal: VhostUserError?
  /// `Mapping.faultCount` at the last call of `checkMemory`.
  private var seenFaultCount = Mapping.faultCount
  /// Whether kicks without requests have been logged.
  var hasHinted = false

  let loop: EventLoop
  let connection: Connection
  let queues: [VhostUserQueue]
  var history = StopHistory()
  var backendChannel: UnixSocket?
  var gpuSocket: GPUSocket?
  /// Regions were added or removed and more may follow: the rings pause until then.
  var isMemoryChanging = false
  var settleTimer: TimerFD
  var settleSource: EventLoop.Source?

  private let log: (String) -> Void
  private let onEnd: (SessionEnd) -> Void
  private var source: EventLoop.Source?

  /// Serves `socket` from now on.
  ///
  /// - Parameters:
  ///   - socket: connected to a frontend.
  ///   - loop: the event loop whose thread runs everything.
  ///   - memory: shared with the device.
  ///   - device: outlives pauses, and may outlive the session.
  ///   - log: gets single lines.
  ///   - onEnd: called once, after everything is unregistered.
  public init(
    socket: consuming UnixSocket, loop: EventLoop, memory: GuestMemory, device: Device,
    log: @escaping (String) -> Void = { _ in }, onEnd: @escaping (SessionEnd) -> Void
  ) throws(SystemError) {
    self.device = device
    self.memory = memory
    self.loop = loop
    self.log = log
    self.onEnd = onEnd
    connection = try Connection(socket)
    queues = (0..<device.queueCount).map { VhostUserQueue(index: $0, loop: loop) }
    settleTimer = try TimerFD()
    source = try loop.add(connection.socket.fd.raw) { [weak self] _ in self?.readable() }
    settleSource = try loop.add(settleTimer.fd.raw) { [weak self] _ in self?.settleTimerFired() }
  }

  deinit { removeSources() }

  /// The queue at `index`, or nil if the device does not have it.
  public func queue(_ index: Int) -> VhostUserQueue? { queues.indices.contains(index) ? queues[index] : nil }

  /// Notifies the guest that the config space has changed.
  ///
  /// - Returns: false if the frontend cannot pass it on: without BACKEND_REQ, and as vhost-user-gpu, which only prints
  ///   an error.
  @discardableResult
  public func configChanged() -> Bool {
    guard gpuSocket == nil else { return false }
    let message = MessageHeader(request: BackendRequest.configChange.rawValue, payloadByteCount: 0).encoded()
    do throws(SystemError) {
      return try backendChannel?.sendAll(message) == message.count
    } catch {
      report("config-change message: \(error)")
      return false
    }
  }

  /// Stops the rings if the VM is at fault, else ends the session.
  public func fail(_ error: VhostUserError) {
    if error.isOfTheVM { refuse(error) } else { finish(.failed(error)) }
  }

  /// Stops the rings if guest memory was missing when this process accessed it. To be called after each iteration of
  /// the loop.
  public func checkMemory() {
    let count = Mapping.faultCount
    if count == seenFaultCount { return }
    seenFaultCount = count
    if end == nil, let address = memory.faultAddress { refuse(.memory(.missing(guestAddress: address))) }
  }

  /// Writes one line to the log.
  func report(_ line: String) { log(line) }

  private func finish(_ end: SessionEnd) {
    guard self.end == nil else { return }
    self.end = end
    for queue in queues { stop(queue) }
    removeSources()
    onEnd(end)
  }

  private func removeSources() {
    if let source { loop.remove(source) }
    if let settleSource { loop.remove(settleSource) }
    source = nil
    settleSource = nil
    gpuSocket = nil
    for queue in queues { queue.closeKick() }
  }

  private func readable() {
    // Bounded, so that other descriptors get their turn.
    for _ in 0..<64 where end == nil {
      do throws(VhostUserError) {
        switch try connection.receive() {
        case .wouldBlock: return
        case .closed: finish(.closed)
        case .message: try serve()
        }
      } catch {
        fail(error)
      }
    }
  }

  /// Serves the message that the connection holds.
  private func serve() throws(VhostUserError) {
    let header = connection.header
    let wantsAcknowledgement = header.needsReply && protocolFeatures.contains(.replyAck)
    guard let request = Request(rawValue: header.request) else {
      report("vhost-user request \(header.request) is not served")
      if wantsAcknowledgement { try connection.reply(1) }
      return
    }
    do throws(VhostUserError) {
      guard connection.fds.count <= request.maxFDCount else {
        throw .tooManyFDs(request: request, count: connection.fds.count)
      }
      if isMemoryChanging && request != .addMemoryRegion && request != .removeMemoryRegion { try settleMemory() }
      try serve(request)
    } catch {
      // The frontend reports the failed request to its user; then the session ends, or the rings stop.
      if wantsAcknowledgement && !request.hasReply { try? connection.reply(1) }
      guard error.isOfTheVM else { throw error }
      return refuse(error)
    }
    if wantsAcknowledgement && !request.hasReply && end == nil { try connection.reply(0) }
  }

  private func serve(_ request: Request) throws(VhostUserError) {
    switch request {
    case .getFeatures: try connection.reply(device.features | ProtocolFeatures.featureMask)
    case .setFeatures: try setFeatures()
    case .setOwner: break
    case .resetOwner: for queue in queues { stop(queue) }
    case .resetDevice: resetDevice()
    case .getProtocolFeatures: try connection.reply(ProtocolFeatures.offered.rawValue)
    case .setProtocolFeatures: try setProtocolFeatures()
    case .getQueueNum: try connection.reply(UInt64(queues.count))
    case .getMaxMemorySlots: try connection.reply(UInt64(GuestMemory.maxRegionCount))
    case .setMemoryTable: try setMemoryTable()
    case .addMemoryRegion: try addMemoryRegion()
    case .removeMemoryRegion: try removeMemoryRegion()
    case .setVringNum: try setVringNum()
    case .setVringAddress: try setVringAddress()
    case .setVringBase: try setVringBase()
    case .getVringBase: try getVringBase()
    case .setVringKick: try setVringKick()
    case .setVringCall: try setVringCall()
    case .setVringError: try setVringError()
    case .setVringEnable: try setVringEnable()
    case .getConfig: try getConfig()
    case .setConfig: try setConfig()
    case .setBackendRequestFD: try setBackendRequestFD()
    case .gpuSetSocket: try setGPUSocket()
    }
  }

  private func setFeatures() throws(VhostUserError) {
    // Bits that were not offered are accepted: QEMU's vhost-user-gpu sets its own.
    acceptedFeatures = try numberPayload(.setFeatures)
    // QEMU sends this first whenever it starts the device.
    forgetRefusal()
    if memory.faultAddress != nil { try mapMemoryAgain() }
    if acceptedFeatures & Self.ringPackedFeature != 0 { throw .packedRings }
    if acceptedFeatures & ProtocolFeatures.featureMask == 0 {
      for queue in queues where queue.virtqueue == nil { queue.isEnabled = true }
    }
    device.featuresAccepted(acceptedFeatures & ~ProtocolFeatures.featureMask)
  }

  private func setProtocolFeatures() throws(VhostUserError) {
    let accepted = ProtocolFeatures(rawValue: try numberPayload(.setProtocolFeatures))
    let extra = accepted.subtracting(.offered)
    guard extra.isEmpty else { throw .notOffered(protocolFeatures: extra.rawValue) }
    protocolFeatures = accepted
  }
}
