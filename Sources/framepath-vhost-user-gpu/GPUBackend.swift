import GuestMemory
import LinuxIO
import VhostUser
import Virtio
import VirtioGPU

/// One VM's virtio-gpu device, between its queues and the daemon. Both of QEMU's devices are served alike:
/// `vhost-user-gpu` masks some of the features offered here, and overrides the number of scanouts.
final class GPUBackend: VhostUserDevice {
  private static let controlQueue = 0
  private static let cursorQueue = 1
  /// The longest command: RESOURCE_CREATE_BLOB with 16 384 entries of 16 bytes. A longer chain is truncated, and then
  /// refused because entries are missing.
  private static let requestCapacity = 56 + 16384 * 16

  /// How long a stopping queue waits for a copy to take the place of the guest's pages on screen: a few vblanks. Then the
  /// screen is blanked.
  private static let copyMilliseconds = 100
  /// How long it waits for the black screen. Linux gives up a commit after 10 s, so a daemon that runs needs less; one
  /// that ends takes its framebuffers with it. Only a daemon that hangs reaches this, and QEMU must not hang with it.
  private static let blankMilliseconds = 12_000

  /// Called when the daemon did not take the guest's pages off the screen in time.
  var onStuckScreen: (() -> Void)?
  /// Called when the VM cannot be served, with the reason.
  var onRefusal: ((String) -> Void)?
  /// Called when the configuration space has changed.
  var onConfigurationChange: (() -> Void)?

  let device: Device
  let display: DaemonDisplay
  private let request = UnsafeMutableRawBufferPointer.allocate(byteCount: requestCapacity, alignment: 16)
  private var control: VhostUserQueue?
  /// Chains whose response waits for a flip, by the device's token; tokens rise in the guest's order.
  private var waiting: [UInt64: (head: UInt16, byteCount: UInt32)] = [:]
  private let loop: EventLoop

  init(loop: EventLoop, display: DaemonDisplay, memory: GuestMemory, configuration: DeviceConfiguration) {
    self.display = display
    self.loop = loop
    device = Device(display: display, memory: memory, configuration: configuration)
    waiting.reserveCapacity(64)
    loop.onDeadline = { [weak self] in self?.deadlinePassed() }
    device.onCompletion = { [weak self] in self?.complete($0) }
    display.onHeadsChanged = { [weak self] in self?.onConfigurationChange?() }
    display.afterEvent = { [weak self] in self?.settle() }
  }

  deinit { request.deallocate() }

  // MARK: VhostUserDevice

  var features: UInt64 {
    VirtioFeatures([.version1, .indirectDescriptors, .eventIndex]).rawValue | Device.offeredFeatures.rawValue
  }

  var queueCount: Int { 2 }

  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard offset >= 0, offset <= 256, buffer.count <= 256 else { return false }
    device.readConfiguration(offset: offset, into: buffer)
    return true
  }

  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard offset >= 0, offset <= 256, bytes.count <= 256 else { return false }
    device.writeConfiguration(offset: offset, bytes: bytes)
    return true
  }

  func featuresAccepted(_ features: UInt64) { device.featuresAccepted(features) }

  func queueStarted(_ queue: VhostUserQueue) {
    guard queue.index == GPUBackend.controlQueue else { return }
    control = queue
    device.restart()
    settle()
  }

  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError) {
    switch queue.index {
    case GPUBackend.controlQueue: try serveControl(queue)
    case GPUBackend.cursorQueue: try serveCursor(queue)
    default: break
    }
    queue.notify()
    settle()
  }

  func queueStopping(_ queue: VhostUserQueue) {
    guard queue.index == GPUBackend.controlQueue else { return }
    // The frontend waits for this: once it returns, other software may write into the pages that are on screen.
    device.stop(nowNanoseconds: monotonicNanoseconds())
    display.deliverEvents(milliseconds: GPUBackend.copyMilliseconds) { !device.isReadingGuestPages }
    if device.isReadingGuestPages {
      device.hideGuestPages()
      display.deliverEvents(milliseconds: GPUBackend.blankMilliseconds) { !device.isReadingGuestPages }
      if device.isReadingGuestPages { onStuckScreen?() }
    }
    device.forgetGuestPages()
    // After a pause the guest must find every response.
    for (_, chain) in waiting.sorted(by: { $0.key < $1.key }) {
      queue.push(head: chain.head, writtenByteCount: chain.byteCount)
    }
    waiting.removeAll(keepingCapacity: true)
    queue.notify()
    control = nil
    loop.deadlineNanoseconds = device.nextDeadline
  }

  func memoryChanged() {
    device.memoryChanged()
    settle()
  }

  func refused(_ reason: String?) {
    if let reason { onRefusal?(reason) }
    device.refused(reason)
  }

  func reset() {
    waiting.removeAll(keepingCapacity: true)
    device.reset()
    settle()
  }

  // MARK: Queues

  private func serveControl(_ queue: VhostUserQueue) throws(VirtqueueError) {
    try queue.drain { chain in
      let count = chain.read(into: request)
      let bytes = UnsafeRawBufferPointer(rebasing: request[..<count])
      switch device.control(request: bytes, nowNanoseconds: monotonicNanoseconds()) {
      case .respond(let byteCount):
        queue.push(head: chain.head, writtenByteCount: write(byteCount, to: chain))
      case .deferred(let token, let byteCount):
        // The guest reads the response only after its chain is pushed.
        waiting[token] = (chain.head, write(byteCount, to: chain))
      }
    }
  }

  private func serveCursor(_ queue: VhostUserQueue) throws(VirtqueueError) {
    try queue.drain { chain in
      let count = chain.read(into: request)
      let byteCount = device.cursor(request: UnsafeRawBufferPointer(rebasing: request[..<count]))
      // Linux provides no buffer for a cursor command's response; other guests may.
      queue.push(head: chain.head, writtenByteCount: write(byteCount, to: chain))
    }
  }

  private func write(_ byteCount: Int, to chain: DescriptorChain) -> UInt32 {
    UInt32(chain.write(UnsafeRawBufferPointer(rebasing: device.response[..<byteCount])))
  }

  private func complete(_ token: UInt64) {
    guard let chain = waiting.removeValue(forKey: token) else { return }
    control?.push(head: chain.head, writtenByteCount: chain.byteCount)
  }

  // MARK: Time

  private func deadlinePassed() {
    device.timerFired(nowNanoseconds: monotonicNanoseconds())
    settle()
  }

  /// Notifies the guest of completions, and sets the loop's deadline to the device's.
  private func settle() {
    control?.notify()
    loop.deadlineNanoseconds = device.nextDeadline
  }
}
