import Glibc
public import LinuxIO
public import VhostUser
public import Virtio

/// Errors on the frontend's side.
public enum FrontendError: Error, Equatable {
  /// The backend closed the connection.
  case closed
  /// There was no answer in time.
  case timedOut(String)
  /// A reply that the protocol does not allow.
  case badReply(request: UInt32, flags: UInt32, byteCount: Int)
  /// The backend acknowledged with a failure.
  case refused(Request, UInt64)
  /// A system call failed.
  case system(SystemError)
}

/// A vhost-user frontend as in QEMU, with the guest's driver.
///
/// Every call blocks, with a timeout: run it in another thread or process than the backend. `realize`, `start`, `stop`
/// and `reset` send QEMU's messages in QEMU's order.
public final class Frontend {
  /// The device of QEMU that is simulated.
  public enum Shape: Sendable {
    /// `vhost-user-test-device-pci`: no GPU socket, a channel for config-change messages.
    case completeDevice
    /// `vhost-user-gpu-pci`: another GPU socket at each start.
    case vhostUserGPU
  }

  /// The simulated device.
  public let shape: Shape
  /// The guest's memory.
  public let ram: GuestRAM
  /// The guest's queues: control and cursor, usually of 64 and 16.
  public let queues: [FrontendQueue]
  /// The backend's features, after `realize`.
  public private(set) var offeredFeatures: UInt64 = 0
  /// The protocol features of both sides, after `realize`.
  public private(set) var protocolFeatures: ProtocolFeatures = []
  /// The base of each queue at the next start.
  public private(set) var bases: [UInt32]
  /// The timeout of every call in milliseconds.
  public var timeoutMilliseconds: Int32 = 5000
  /// The supported protocol features; like QEMU, all that the backend offers of them are accepted.
  public var knownProtocolFeatures: ProtocolFeatures = .offered
  /// The number of queues that the guest's driver uses: firmware has no cursor queue.
  public var usedQueueCount = Int.max
  /// The number of regions in which the guest's memory is sent.
  public var regionCount = 1

  /// Serves the GPU socket of the next start, for backends that draw there; without a monitor it is not answered.
  public var monitor: GPUScreen.Monitor?
  /// The other end of the GPU socket, if `monitor` is set.
  public private(set) var screen: GPUScreen?

  private let socket: UnixSocket
  private var gpuSocket: UnixSocket?
  private var backendChannel: UnixSocket?

  /// A frontend on a connected socket.
  public init(
    _ socket: consuming UnixSocket, shape: Shape = .completeDevice, ram: GuestRAM, queueSizes: [Int] = [64, 16],
    features: VirtioFeatures = [.version1, .indirectDescriptors, .eventIndex]
  ) throws(SystemError) {
    self.socket = socket
    self.shape = shape
    self.ram = ram
    var queues: [FrontendQueue] = []
    for size in queueSizes {
      queues.append(try FrontendQueue(index: queues.count, driver: QueueDriver(ram, size: size, features: features)))
    }
    self.queues = queues
    bases = Array(repeating: 0, count: queueSizes.count)
  }

  /// A frontend that connects to a backend's listening socket.
  public convenience init(
    path: String, shape: Shape = .completeDevice, ram: GuestRAM, queueSizes: [Int] = [64, 16],
    features: VirtioFeatures = [.version1, .indirectDescriptors, .eventIndex]
  ) throws(SystemError) {
    try self.init(
      try UnixSocket.connect(path, .stream), shape: shape, ram: ram, queueSizes: queueSizes, features: features)
  }

  // MARK: QEMU's sequences

  /// vhost_user_backend_init and vhost_dev_init: the messages at the device's creation.
  public func realize() throws(FrontendError) {
    offeredFeatures = try askNumber(.getFeatures)
    let offered = ProtocolFeatures(rawValue: try askNumber(.getProtocolFeatures))
    protocolFeatures = offered.intersection(knownProtocolFeatures)
    try send(.setProtocolFeatures, number(protocolFeatures.rawValue))
    if protocolFeatures.contains(.multiqueue) { _ = try askNumber(.getQueueNum) }
    if protocolFeatures.contains(.configureMemorySlots) { _ = try askNumber(.getMaxMemorySlots) }
    if protocolFeatures.contains(.backendRequest) {
      let pair = try pair()
      let theirs = pair.second.fd.raw
      try tell(.setBackendRequestFD, [], fds: [theirs])
      backendChannel = pair.takeFirst()
    }
    try send(.setOwner, [])
    _ = try askNumber(.getFeatures)
    for queue in queues {
      try send(.setVringCall, number(UInt64(queue.index)), fds: [queue.call.fd.raw])
      try send(.setVringError, number(UInt64(queue.index)), fds: [queue.error.fd.raw])
    }
  }

  /// vhost_dev_start: the guest's driver sets DRIVER_OK, or a paused VM resumes.
  ///
  /// - Parameter features: the features that the driver accepts; nil for all offered ones.
  public func start(features: UInt64? = nil) throws(FrontendError) {
    if shape == .vhostUserGPU {
      let pair = try pair()
      let theirs = pair.second.fd.raw
      try send(.gpuSetSocket, [], fds: [theirs])
      if let monitor {
        if let end = pair.takeFirst() { screen = GPUScreen(end, monitor) }
        for queue in queues { queue.screen = screen }
      } else {
        gpuSocket = pair.takeFirst()
      }
    }
    let accepted = features ?? offeredFeatures
    try send(.setFeatures, number(accepted | ProtocolFeatures.featureMask))
    try sendMemory()
    let used = queues.prefix(usedQueueCount)
    for queue in used {
      let index = UInt32(queue.index)
      let config = queue.driver.config()
      try send(.setVringNum, VringState(index: index, number: config.size).encoded)
      try send(.setVringBase, VringState(index: index, number: bases[queue.index]).encoded)
      let address = VringAddress(
        index: index, descriptorTable: config.descriptorTable, usedRing: config.usedRing, availRing: config.availRing)
      try send(.setVringAddress, address.encoded)
      try send(.setVringKick, number(UInt64(index)), fds: [queue.kick.fd.raw])
    }
    for queue in queues { try tell(.setVringEnable, VringState(index: UInt32(queue.index), number: 1).encoded) }
    for queue in used { try send(.setVringCall, number(UInt64(queue.index)), fds: [queue.call.fd.raw]) }
  }

  /// vhost_dev_stop: a pause. The returned bases are kept for the next start.
  @discardableResult
  public func stop() throws(FrontendError) -> [UInt32] {
    closeGPUSocket()
    for queue in queues { try tell(.setVringEnable, VringState(index: UInt32(queue.index), number: 0).encoded) }
    for queue in queues {
      let payload = try ask(.getVringBase, VringState(index: UInt32(queue.index), number: 0).encoded)
      guard let state = unsafe VringState(payload.span.bytes), state.index == UInt32(queue.index) else {
        throw .badReply(request: Request.getVringBase.rawValue, flags: 0, byteCount: payload.count)
      }
      bases[queue.index] = state.number
    }
    return bases
  }

  /// virtio_reset: the guest reboots. Older QEMUs only stop the queues.
  public func reset(sendsResetDevice: Bool = true) throws(FrontendError) {
    try stop()
    if sendsResetDevice && protocolFeatures.contains(.resetDevice) { try send(.resetDevice, []) }
    for queue in queues {
      queue.driver.reset()
      bases[queue.index] = 0
    }
  }

  /// Sends all guest memory, by SET_MEM_TABLE or region by region, as negotiated.
  public func sendMemory() throws(FrontendError) {
    if protocolFeatures.contains(.configureMemorySlots) {
      if hasSentMemory { return }
      for region in regions() { try tell(.addMemoryRegion, region.paddedEncoded, fds: [ram.fd.raw]) }
    } else {
      try sendMemoryTable(regions())
    }
    hasSentMemory = true
  }
  private var hasSentMemory = false

  /// Sends SET_MEM_TABLE with any regions.
  public func sendMemoryTable(_ regions: [MemoryRegionDescription]) throws(FrontendError) {
    let fds = Array(repeating: ram.fd.raw, count: regions.count)
    try tell(.setMemoryTable, MemoryTable(regions: regions).encoded, fds: fds)
  }

  /// The guest's memory as `regionCount` regions.
  public func regions() -> [MemoryRegionDescription] {
    let step = ram.byteCount / regionCount
    return (0..<regionCount).map { index in
      let start = index * step
      return MemoryRegionDescription(
        guestAddress: UInt64(start), byteCount: UInt64(index == regionCount - 1 ? ram.byteCount - start : step),
        userAddress: ram.userAddress + UInt64(start), fileOffset: UInt64(start))
    }
  }

  /// GET_CONFIG, which each config read of the guest causes.
  public func readConfig(offset: Int = 0, byteCount: Int = 16) throws(FrontendError) -> [UInt8] {
    let access = ConfigAccess(offset: UInt32(offset), bytes: Array(repeating: 0, count: byteCount))
    let payload = try ask(.getConfig, access.encoded)
    if payload.isEmpty { return [] }
    guard let reply = unsafe ConfigAccess(payload.span.bytes), reply.bytes.count == byteCount else {
      throw .badReply(request: Request.getConfig.rawValue, flags: 0, byteCount: payload.count)
    }
    return reply.bytes
  }

  /// SET_CONFIG.
  public func writeConfig(_ bytes: [UInt8], offset: Int = 0) throws(FrontendError) {
    try tell(.setConfig, ConfigAccess(offset: UInt32(offset), bytes: bytes).encoded)
  }

  /// Waits for a config-change message.
  public func waitForConfigChange() throws(FrontendError) {
    guard let raw = backendChannel?.fd.raw else { throw .closed }
    let header = try receiveHeader(raw)
    guard header == MessageHeader(request: BackendRequest.configChange.rawValue, payloadByteCount: 0) else {
      throw .badReply(request: header.request, flags: header.flags, byteCount: Int(header.payloadByteCount))
    }
  }

  // MARK: Messages

  /// Sends a request without a reply of its own, and waits for the acknowledgement with REPLY_ACK.
  public func tell(_ request: Request, _ payload: [UInt8], fds: [Int32] = []) throws(FrontendError) {
    guard protocolFeatures.contains(.replyAck) else { return try send(request, payload, fds: fds) }
    let flags = MessageHeader.version | MessageHeader.needReplyFlag
    try sendRaw(
      MessageHeader(request: request.rawValue, flags: flags, payloadByteCount: payload.count).encoded(payload), fds: fds
    )
    let code = try numberReply(request)
    guard code == 0 else { throw .refused(request, code) }
  }

  /// Sends a request without waiting.
  public func send(_ request: Request, _ payload: [UInt8], fds: [Int32] = []) throws(FrontendError) {
    try sendRaw(MessageHeader(request: request.rawValue, payloadByteCount: payload.count).encoded(payload), fds: fds)
  }

  /// Sends a request, and returns the payload of its reply.
  public func ask(_ request: Request, _ payload: [UInt8] = []) throws(FrontendError) -> [UInt8] {
    try send(request, payload)
    return try receiveReply(request)
  }

  /// Sends a request whose reply is a number.
  public func askNumber(_ request: Request) throws(FrontendError) -> UInt64 {
    try send(request, [])
    return try numberReply(request)
  }

  /// Sends arbitrary bytes.
  public func sendRaw(_ bytes: [UInt8], fds: [Int32] = []) throws(FrontendError) {
    do throws(SystemError) {
      _ = try sendAll(socket, bytes, fds: fds)
    } catch {
      if error.code == EPIPE { throw .closed }
      throw .system(error)
    }
  }

  /// Receives arbitrary bytes.
  public func receiveRaw(_ byteCount: Int) throws(FrontendError) -> [UInt8] {
    if let screen { try serve(screen, until: socket.fd.raw, timeoutMilliseconds) }
    return try receive(socket.fd.raw, byteCount)
  }

  /// Waits until the backend closes the connection; received bytes are dropped.
  public func waitForEnd() throws(FrontendError) {
    do throws(FrontendError) {
      while true { _ = try receiveRaw(1) }
    } catch .closed {
      return
    }
  }

  /// Closes the connection, as QEMU does at its end.
  public func close() {
    closeGPUSocket()
    backendChannel = nil
    _ = shutdown(socket.fd.raw, Int32(SHUT_RDWR))
  }

  /// Takes what the backend has sent to its screen.
  public func serveScreen() throws(FrontendError) { try screen?.serve(timeoutMilliseconds: timeoutMilliseconds) }

  /// Closes the GPU socket, as QEMU does before anything else when it pauses.
  public func closeGPUSocket() {
    gpuSocket = nil
    for queue in queues { queue.screen = nil }
    screen = nil
  }
}
