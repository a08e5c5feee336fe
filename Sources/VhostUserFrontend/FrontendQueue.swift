public import LinuxIO

/// A queue of a frontend: the guest's driver, and the eventfds of kick and interrupt.
public final class FrontendQueue {
  /// The index of the queue in the device.
  public let index: Int
  /// The guest's side of the ring.
  public let driver: QueueDriver
  /// The guest raises it.
  public let kick: EventFD
  /// The backend raises it.
  public let call: EventFD
  /// The backend raises it if the ring is broken.
  public let error: EventFD
  /// Served while waiting for the queue.
  var screen: GPUScreen?

  init(index: Int, driver: QueueDriver) throws(SystemError) {
    self.index = index
    self.driver = driver
    kick = try EventFD()
    call = try EventFD()
    error = try EventFD()
  }

  /// Makes a request available, and kicks if the device requests it.
  ///
  /// - Returns: the chain's head; nil if the ring is full.
  @discardableResult
  public func submit(_ buffers: [DriverBuffer], indirect: Bool = false) -> UInt16? {
    let head = driver.add(buffers, indirect: indirect)
    if driver.publish() { kick.signal() }
    return head
  }

  /// Waits for the next answer, sleeping until the interrupt like a guest.
  public func waitForUsed(
    timeoutMilliseconds: Int32 = 5000
  ) throws(FrontendError) -> (head: UInt16, writtenByteCount: UInt32) {
    while true {
      if let used = driver.takeUsed() { return used }
      if driver.setInterrupts(true) { continue }
      if let screen { try serve(screen, until: call.fd.raw, timeoutMilliseconds) }
      guard isReadable(call.fd.raw, timeoutMilliseconds) else { throw .timedOut("queue \(index)") }
      call.drain()
    }
  }
}

/// Serves a GPU socket until `fd` is readable; also returns at the timeout.
func serve(_ screen: GPUScreen, until fd: Int32, _ timeoutMilliseconds: Int32) throws(FrontendError) {
  while true {
    do throws(SystemError) {
      let ready = try waitUntilEitherReady(fd, screen.descriptor, timeoutMilliseconds: timeoutMilliseconds)
      if !ready.second { return }
    } catch {
      throw .system(error)
    }
    try screen.serve(timeoutMilliseconds: timeoutMilliseconds)
    if isReadable(fd, 0) { return }
  }
}

/// Sleeps until `fd` is readable or its other end is closed; false at the timeout.
func isReadable(_ fd: Int32, _ timeoutMilliseconds: Int32) -> Bool {
  do throws(SystemError) {
    return try !waitUntilReady(fd, .readable, timeoutMilliseconds: timeoutMilliseconds).isEmpty
  } catch {
    return false
  }
}
