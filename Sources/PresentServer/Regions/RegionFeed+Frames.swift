import DaemonSettings
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension RegionFeed {
  /// The limit for frames in the presenter: one pending, and one waiting for the next commit. A third would supersede
  /// the second.
  private static let underWayLimit = 2

  /// Presents as many frames as there is room for, so that a client that uses slots in turn is paced and loses no
  /// frames. A frame that is not latched yet, as in a tile or with a cap, is not superseded.
  func presentWaiting() {
    while !service.isHeld, underWayCount < RegionFeed.underWayLimit, !waiting.isEmpty {
      if surface.view?.hasWaitingFrame == true { return }
      present(waiting.removeFirst())
    }
  }

  private func present(_ slot: Int) {
    guard let frame = slots[slot].handedOver else { return }
    let buffer: ClientBuffer
    do throws(SlotRefusal) {
      buffer = try imported(frame)
    } catch {
      return refuse(slot, error)
    }
    lastFrame += 1
    slots[slot].frame = lastFrame
    buffer.lastFrame = lastFrame
    underWayCount += 1
    let source = frame.layout.bounds
    let ready = readyNanoseconds(frame)
    surface.counters.presented += 1
    surface.trace.begin(
      FrameTrace.Record(
        frame: lastFrame, path: .direct, copies: 0, copiedBytes: 0, readyNanoseconds: ready,
        presentedNanoseconds: monotonicNanoseconds()))
    surface.show(
      SurfaceUpdate(
        frame: SurfaceFrame(buffer: buffer, number: lastFrame, source: source),
        damage: frame.damage.clipped(to: source), readyNanoseconds: ready))
  }

  /// The slot's pages as a buffer of the output, imported when the layout is new.
  private func imported(_ frame: RegionFrame) throws(SlotRefusal) -> ClientBuffer {
    if let buffer = slots[frame.slot].buffer, slots[frame.slot].layout == frame.layout { return buffer }
    forgetBuffer(frame.slot)
    // As many whole pages of the slot as the picture needs.
    var range = host.memory(of: frame.slot)
    range.byteCount = min(roundedUpToPages(frame.layout.byteCount) ?? range.byteCount, range.byteCount)
    let buffer = try connection.slotBuffer(
      range, of: host.fd, id: BufferID(wire: UInt32(frame.slot) + 1), layout: frame.layout, surface: surface)
    slots[frame.slot].buffer = buffer
    slots[frame.slot].layout = frame.layout
    if hasRefused { surface.setPath(.direct, reason: "") }
    hasRefused = false
    return buffer
  }

  private func refuse(_ slot: Int, _ why: SlotRefusal) {
    hasRefused = true
    holdBack()
    surface.setPath(.direct, reason: why.text)
    service.noteRefusal(why.reason, detail: why.text)
    service.forgetNewest(slot)
    guard why.reason == .noMemory else { return giveUp(slot, .rejected(why.reason)) }
    // The guest would reuse the same slot; make it continue with those that have memory.
    service.answer(slot, .rejected(.noMemory))
    refusedSlots |= 1 << UInt64(slot)
  }

  /// Releases slots that were refused for lack of memory; it may be available now.
  func giveBackRefused() {
    for slot in slots.indices where refusedSlots >> UInt64(slot) & 1 == 1 { giveBack(slot) }
  }

  /// The number of slots that are buffers of the output.
  var bufferCount: Int { slots.count { $0.buffer != nil } }

  /// Discards the slots' buffers when the surface leaves its output; no release follows.
  func forgetBuffers() { for slot in slots.indices { forgetBuffer(slot) } }

  /// Writes the output into the region's header.
  func take(_ output: OutputDescription) {
    let mode = output.mode
    service.setOutput(
      output.connected
        ? RegionOutput(width: mode.width, height: mode.height, refreshMillihertz: mode.refreshMillihertz) : nil,
      .presenting)
  }

  /// Restarts on another output: the newest frame is shown again, all others are lost.
  func beginAgain() {
    for slot in slots.indices where host.heldSlots >> UInt64(slot) & 1 == 1 && service.newest != slot {
      giveUp(slot, .lost)
    }
    guard let newest = service.newest else { return }
    slots[newest].handedOver?.damage = .full
    slots[newest].handedOver?.readyNanoseconds = monotonicNanoseconds()
    waiting.append(newest)
    mark()
  }

  /// Releases the queued frames of the former client.
  func dropWaiting() {
    for slot in waiting { giveUp(slot, .lost) }
    waiting.removeAll(keepingCapacity: true)
  }

  func giveBack(_ slot: Int) {
    slots[slot].frame = nil
    refusedSlots &= ~(1 << UInt64(slot))
    service.release(slot)
  }

  /// Ends a hold, answering the frame.
  private func giveUp(_ slot: Int, _ outcome: RegionOutcome) {
    service.answer(slot, outcome)
    giveBack(slot)
  }

  private func forgetBuffer(_ slot: Int) {
    slots[slot].buffer?.surface = nil
    slots[slot].buffer = nil
    slots[slot].layout = nil
  }
}
