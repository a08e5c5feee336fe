import GuestMemory
import LinuxIO
import Virtio

/// The bases of the queues at their stop, to tell a guest's reset from a pause.
///
/// QEMU sends RESET_DEVICE only from 9.2 on; before, it negotiates the feature and does not use it. A guest that
/// restarts begins every ring at 0, while a pause resumes at the base of the stop.
struct StopHistory {
  /// Whether a ring had been used before it was stopped.
  var hadRequests = false
}

extension BackendSession {
  // MARK: Messages

  func setVringNum() throws(VhostUserError) {
    let (queue, state) = try vringState(.setVringNum)
    guard queue.virtqueue == nil else { throw .queueRunning(request: .setVringNum, index: queue.index) }
    guard state.number > 0, state.number <= UInt32(VirtqueueConfig.maxSize), state.number & (state.number - 1) == 0
    else { throw .queue(index: queue.index, .badSize(state.number)) }
    queue.size = state.number
    try startIfReady(queue)
  }

  func setVringBase() throws(VhostUserError) {
    let (queue, state) = try vringState(.setVringBase)
    guard queue.virtqueue == nil else { throw .queueRunning(request: .setVringBase, index: queue.index) }
    guard let base = UInt16(exactly: state.number) else {
      throw .badVringBase(index: queue.index, base: state.number)
    }
    queue.base = base
    queue.hasNewBase = true
  }

  func setVringAddress() throws(VhostUserError) {
    guard let address = connection.parse({ VringAddress($0) }) else { throw badPayload(.setVringAddress) }
    let queue = try queueNamed(address.index, .setVringAddress)
    queue.address = address
    guard let virtqueue = queue.virtqueue else { return try startIfReady(queue) }
    do throws(VirtqueueError) {
      try virtqueue.relocate(
        descriptorTable: address.descriptorTable, availRing: address.availRing, usedRing: address.usedRing)
    } catch {
      throw .queue(index: queue.index, error)
    }
  }

  func setVringKick() throws(VhostUserError) {
    let queue = try vringFile(.setVringKick)
    guard let fd = connection.fds.take(0) else { throw .pollingNotSupported(index: queue.index) }
    do throws(SystemError) {
      try queue.setKick(fd) { [weak self] queue in
        self?.kicked(queue)
        self?.noteKick(queue)
      }
    } catch {
      throw .system(error)
    }
    try startIfReady(queue)
  }

  func setVringCall() throws(VhostUserError) {
    let queue = try vringFile(.setVringCall)
    queue.setCall(connection.fds.take(0))
  }

  func setVringError() throws(VhostUserError) {
    let queue = try vringFile(.setVringError)
    queue.setError(connection.fds.take(0))
  }

  func setVringEnable() throws(VhostUserError) {
    let (queue, state) = try vringState(.setVringEnable)
    guard state.number <= 1 else { throw .badVringEnable(index: queue.index, number: state.number) }
    if state.number == 0 {
      if queue.isRunning { device.queueStopping(queue) }
      queue.isEnabled = false
      return
    }
    guard !queue.isEnabled else { return }
    queue.isEnabled = true
    if refusal != nil { return }
    if queue.virtqueue == nil { return try startIfReady(queue) }
    device.queueStarted(queue)
    kicked(queue)
  }

  func getVringBase() throws(VhostUserError) {
    let (queue, _) = try vringState(.getVringBase)
    stop(queue)
    if queue.base != 0 { history.hadRequests = true }
    try connection.reply(VringState(index: UInt32(queue.index), number: UInt32(queue.base)).encoded)
  }

  func resetDevice() {
    for queue in queues {
      stop(queue)
      queue.isEnabled = false
    }
    history = StopHistory()
    device.reset()
  }

  // MARK: Start, kick, stop

  func stop(_ queue: VhostUserQueue) {
    if queue.isRunning { device.queueStopping(queue) }
    queue.stop()
  }

  private func startIfReady(_ queue: VhostUserQueue) throws(VhostUserError) {
    guard refusal == nil, queue.isReady else { return }
    if history.hadRequests && queues.allSatisfy({ $0.virtqueue == nil }) {
      // A ring that the new driver does not use keeps its old base, and is not mentioned: firmware has no cursor queue.
      if queues.allSatisfy({ !$0.hasNewBase || $0.base == 0 }) { device.reset() }
      history = StopHistory()
    }
    do throws(VirtqueueError) {
      try queue.start(memory, features: acceptedFeatures)
    } catch {
      throw .queue(index: queue.index, error)
    }
    device.queueStarted(queue)
    // Requests may have come while the queue was stopped, and their kick may be lost.
    kicked(queue)
  }

  func kicked(_ queue: VhostUserQueue) {
    guard end == nil else { return }
    guard queue.isRunning, !isMemoryChanging else {
      queue.hasMissedKick = true
      return
    }
    do throws(VirtqueueError) {
      try device.queueKicked(queue)
    } catch {
      fail(.queue(index: queue.index, error))
    }
  }

  // MARK: Payloads

  func badPayload(_ request: Request) -> VhostUserError {
    .badPayload(request: request, byteCount: Int(connection.header.payloadByteCount))
  }

  func numberPayload(_ request: Request) throws(VhostUserError) -> UInt64 {
    let number = connection.parse { bytes -> UInt64? in
      var reader = ByteReader(bytes)
      guard let number = reader.read(UInt64.self), reader.remaining == 0 else { return nil }
      return number
    }
    guard let number else { throw badPayload(request) }
    return number
  }

  private func queueNamed(_ index: UInt32, _ request: Request) throws(VhostUserError) -> VhostUserQueue {
    guard Int(index) < queues.count else { throw .noSuchQueue(request: request, index: index, count: queues.count) }
    return queues[Int(index)]
  }

  private func vringState(_ request: Request) throws(VhostUserError) -> (VhostUserQueue, VringState) {
    guard let state = connection.parse({ VringState($0) }) else { throw badPayload(request) }
    return (try queueNamed(state.index, request), state)
  }

  /// The queue of a message with a descriptor, or intentionally without one.
  private func vringFile(_ request: Request) throws(VhostUserError) -> VhostUserQueue {
    let file = VringFile(try numberPayload(request))
    let queue = try queueNamed(file.index, request)
    guard file.hasFD == (connection.fds.count == 1) else {
      throw file.hasFD ? .missingFD(request: request) : .tooManyFDs(request: request, count: connection.fds.count)
    }
    return queue
  }
}
