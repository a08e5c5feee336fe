import HybridRegion
import PresentProtocol

/// Reports ends of frames and releases in the region's ring, and forwards the rest to the region's connection.
extension RegionFeed: SurfaceOwner {
  func log(_ text: String) { connection.log(text) }

  func drop(_ why: String) { connection.drop(why) }

  func outputChanged(_ description: OutputDescription, of surface: Surface) {
    connection.outputChanged(description, of: surface)
    take(description)
    if generation == surface.generation { return }
    generation = surface.generation
    beginAgain()
  }

  func buffersLost(of surface: Surface) {
    connection.buffersLost(of: surface)
    forgetBuffers()
  }

  func outputLost(of surface: Surface) {
    for slot in slots.indices { slots[slot].frame = nil }
    underWayCount = 0
    waiting.removeAll(keepingCapacity: true)
    mark()
  }

  /// A frame was latched, so there is room for the next one.
  func frameLatched(of surface: Surface) { if !waiting.isEmpty { mark() } }

  func frameDone(
    _ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64, sequence: UInt64, of surface: Surface
  ) {
    guard let slot = slots.firstIndex(where: { $0.frame == frame }) else { return }
    if underWayCount > 0 { underWayCount -= 1 }
    mark()
    if outcome == .rejected { holdBack() }
    let outcome: RegionOutcome =
      switch outcome {
      case .flipped: .flipped
      case .superseded: .superseded
      case .rejected: .rejected(.output)
      }
    service.answer(slot, outcome, timeNanoseconds: timeNanoseconds, sequence: sequence)
  }

  func released(_ buffer: ClientBuffer, of surface: Surface) {
    if buffer.usage == .cursor { return connection.released(buffer, of: surface) }
    guard let slot = slots.firstIndex(where: { $0.buffer === buffer }) else { return }
    giveBack(slot)
  }

  func failed(_ why: String, of surface: Surface) { connection.failed(why, of: surface) }
}
