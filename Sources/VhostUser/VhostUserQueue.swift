import GuestMemory
import LinuxIO
public import Virtio

/// One virtqueue of a session: its configuration, its eventfds, and the ring while it runs.
///
/// The object stays the same over pauses and resets. Owned by the session's thread.
@safe public final class VhostUserQueue {
  /// The index of the queue in the device.
  public let index: Int

  /// Whether chains may be popped and pushed.
  public var isRunning: Bool { virtqueue != nil && isEnabled }

  var size: UInt32 = 0
  var base: UInt16 = 0
  /// Whether the frontend set `base` since the last stop.
  var hasNewBase = false
  var address: VringAddress?
  var isEnabled = false
  var virtqueue: Virtqueue?
  /// Whether there was a kick while the memory table was changing, or the queue was disabled.
  var hasMissedKick = false

  /// The number of kicks since the start, before the first request.
  var emptyKickCount = 0

  private var kick: EventFD?
  private var kickSource: EventLoop.Source?
  private var call: EventFD?
  private var error: EventFD?
  private let loop: EventLoop

  init(index: Int, loop: EventLoop) {
    self.index = index
    self.loop = loop
  }

  deinit { closeKick() }

  // MARK: For the device

  /// The next chain, or nil. It is valid until the next call.
  public func pop() throws(VirtqueueError) -> DescriptorChain? {
    guard isRunning, let virtqueue else { return nil }
    return try virtqueue.pop()
  }

  /// Calls `body` for the available chains.
  ///
  /// At most `limit` chains are served per call. If more are left, the queue kicks itself, so that the session's socket
  /// and the other queues get their turn.
  public func drain(limit: Int = 256, _ body: (DescriptorChain) -> Void) throws(VirtqueueError) {
    guard isRunning, let virtqueue else { return }
    if try virtqueue.drain(limit: limit, body) { signalKick() }
  }

  /// Answers a chain, now or later, in any order; ignored once the queue has stopped. `notify` interrupts the guest.
  public func push(head: UInt16, writtenByteCount: UInt32) {
    virtqueue?.push(head: head, writtenByteCount: writtenByteCount)
  }

  /// Interrupts the guest if it requested that for the pushed chains. Call it once after a batch.
  public func notify() {
    guard let virtqueue, virtqueue.needsNotification() else { return }
    call?.signal()
  }

  // MARK: For the session

  var hasKick: Bool { kickSource != nil }

  func setKick(_ fd: consuming OwnedFD, onKick: @escaping (VhostUserQueue) -> Void) throws(SystemError) {
    closeKick()
    try fd.setNonblocking()
    // Edge-triggered, so that the count need not be read at each kick. It stays, and makes a later start look for
    // requests once; QEMU ignores a count that is left when it takes the eventfd back.
    let source = try loop.add(fd.raw, [.readable, .edge]) { [weak self] readiness in
      guard let self else { return }
      // Not an eventfd: there will be no other kick.
      if readiness.contains(.hangUp) { self.closeKick() }
      onKick(self)
    }
    kick = EventFD(taking: fd)
    kickSource = source
  }

  func closeKick() {
    if let kickSource { loop.remove(kickSource) }
    kickSource = nil
    kick = nil
  }

  func setCall(_ fd: consuming OwnedFD?) {
    if let fd { call = EventFD(taking: fd) } else { call = nil }
  }

  func setError(_ fd: consuming OwnedFD?) {
    if let fd { error = EventFD(taking: fd) } else { error = nil }
  }

  /// Signals to the frontend that the ring is broken.
  func signalError() { error?.signal() }

  /// Whether the configuration is complete enough to start.
  var isReady: Bool { virtqueue == nil && isEnabled && hasKick && size > 0 && address != nil }

  /// Starts the ring at the configured addresses.
  func start(_ memory: GuestMemory, features: UInt64) throws(VirtqueueError) {
    guard let address else { return }
    let config = VirtqueueConfig(
      size: size, descriptorTable: address.descriptorTable, availRing: address.availRing, usedRing: address.usedRing,
      nextAvail: base, features: VirtioFeatures(rawValue: features))
    virtqueue = try config.activate(memory)
  }

  /// Stops the ring; `base` is then the index at which a later start continues.
  func stop() {
    if let virtqueue { base = virtqueue.nextAvail }
    virtqueue = nil
    hasNewBase = false
    hasMissedKick = false
    emptyKickCount = 0
    closeKick()
  }

  private func signalKick() { kick?.signal() }
}
