import GuestMemory
import Virtio

/// A VM that cannot be served: its rings stop, but the connection stays open for the frontend.
extension BackendSession {
  /// VIRTIO_F_RING_PACKED (34).
  static var ringPackedFeature: UInt64 { 1 << 34 }
  /// VIRTIO_F_ACCESS_PLATFORM (33): addresses may be an IOMMU's.
  static var accessPlatformFeature: UInt64 { 1 << 33 }

  /// Stops all rings until the frontend starts the device again.
  func refuse(_ error: VhostUserError) {
    if case .queue(let index, _) = error { queue(index)?.signalError() }
    for queue in queues { stop(queue) }
    guard refusal == nil else { return }
    // Zeros in the place of missing memory may have broken a ring.
    let cause = memory.faultAddress.map { VhostUserError.memory(.missing(guestAddress: $0)) } ?? error
    refusal = cause
    device.refused(description(of: cause))
  }

  /// Clears the refusal when the frontend restarts the device, whose driver or memory may have changed.
  func forgetRefusal() {
    guard refusal != nil else { return }
    refusal = nil
    device.refused(nil)
  }

  /// Detects kicks without requests: the guest's memory is not shared with this process.
  func noteKick(_ queue: VhostUserQueue) {
    guard queue.isRunning, !isMemoryChanging, let virtqueue = queue.virtqueue else { return }
    guard virtqueue.nextAvail == queue.base else {
      queue.emptyKickCount = 0
      return
    }
    queue.emptyKickCount += 1
    // QEMU kicks once itself when it starts a queue. The guest kicks once as well, and then waits for an event index
    // that does not reach its memory.
    guard queue.emptyKickCount == 2, !hasHinted else { return }
    hasHinted = true
    report(
      "queue \(queue.index) was kicked twice and has no request: the guest's memory may be private; "
        + sharedMemoryAdvice)
  }

  private var sharedMemoryAdvice: String {
    "give the VM its memory with -object memory-backend-memfd,id=mem,size=…,share=on -machine memory-backend=mem"
  }

  private func description(of error: VhostUserError) -> String {
    guard case .queue(_, let fault) = error else { return error.description }
    switch fault {
    case .ringOutsideMemory, .bufferOutsideMemory:
      if acceptedFeatures & Self.accessPlatformFeature != 0 {
        return "\(error); addresses of an IOMMU are not served: set iommu_platform=off on the device"
      }
      return "\(error); \(sharedMemoryAdvice)"
    default: return error.description
    }
  }
}
