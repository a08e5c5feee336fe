import GuestMemory
import LinuxIO
import Virtio

extension BackendSession {
  /// How long the rings pause after an ADD_MEM_REG or REM_MEM_REG, waiting for further ones.
  private var settleNanoseconds: UInt64 { 5_000_000 }

  /// QEMU sends this at the start, and at any time while the rings run.
  func setMemoryTable() throws(VhostUserError) {
    guard let table = connection.parse({ MemoryTable($0) }) else { throw badPayload(.setMemoryTable) }
    var regions: [GuestRegion] = []
    for (index, description) in table.regions.enumerated() {
      regions.append(try region(description, fdIndex: index, .setMemoryTable))
    }
    do throws(GuestMemoryError) {
      try memory.replaceRegions(regions)
    } catch {
      throw .memory(error)
    }
    try settleMemory()
  }

  /// QEMU replaces a changed region by removing it and adding its parts while the guest runs, and does not mark the
  /// last message. Between them rings and requests may be outside memory through no fault of the guest, so the queues
  /// pause until another message comes, or none for 5 ms.
  func addMemoryRegion() throws(VhostUserError) {
    let region = try region(try singleRegion(.addMemoryRegion), fdIndex: 0, .addMemoryRegion)
    do throws(GuestMemoryError) {
      try memory.addRegion(region)
    } catch {
      throw .memory(error)
    }
    waitForMore()
  }

  func removeMemoryRegion() throws(VhostUserError) {
    let region = try singleRegion(.removeMemoryRegion)
    do throws(GuestMemoryError) {
      try memory.removeRegion(
        guestAddress: region.guestAddress, userAddress: region.userAddress, byteCount: region.byteCount)
    } catch {
      throw .memory(error)
    }
    waitForMore()
  }

  /// Resolves all addresses again, after the table has become complete.
  func settleMemory() throws(VhostUserError) {
    isMemoryChanging = false
    settleTimer.disarm()
    for queue in queues {
      do throws(VirtqueueError) {
        try queue.virtqueue?.resolve()
      } catch {
        throw .queue(index: queue.index, error)
      }
    }
    device.memoryChanged()
    for queue in queues where queue.isRunning {
      queue.notify()
      if queue.hasMissedKick {
        queue.hasMissedKick = false
        kicked(queue)
      }
    }
  }

  /// A frontend that starts the device again need not send the table again.
  func mapMemoryAgain() throws(VhostUserError) {
    do throws(GuestMemoryError) {
      try memory.mapFaultyRegionsAgain()
    } catch {
      throw .memory(error)
    }
    try settleMemory()
  }

  func settleTimerFired() {
    settleTimer.drain()
    guard isMemoryChanging else { return }
    do throws(VhostUserError) {
      try settleMemory()
    } catch {
      fail(error)
    }
  }

  private func waitForMore() {
    isMemoryChanging = true
    settleTimer.arm(deadlineNanoseconds: monotonicNanoseconds() &+ settleNanoseconds)
  }

  private func singleRegion(_ request: Request) throws(VhostUserError) -> MemoryRegionDescription {
    guard let region = connection.parse({ MemoryRegionDescription(padded: $0) }) else { throw badPayload(request) }
    return region
  }

  private func region(
    _ description: MemoryRegionDescription, fdIndex: Int, _ request: Request
  ) throws(VhostUserError) -> GuestRegion {
    guard let fd = connection.fds.take(fdIndex) else { throw .missingFD(request: request) }
    do throws(GuestMemoryError) {
      return try GuestRegion(
        guestAddress: description.guestAddress, userAddress: description.userAddress,
        byteCount: description.byteCount, fd: SharedFD(fd), fileOffset: description.fileOffset)
    } catch {
      throw .memory(error)
    }
  }
}
