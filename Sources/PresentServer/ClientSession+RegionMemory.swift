import FrameScheduler
import GraphicsMemory
import HybridRegion
import Outputs
import PresentProtocol
import Scanout

/// Why a slot of a region is no buffer of the output.
struct SlotRefusal: Error {
  var reason: RegionReason
  var text: String
}

extension ClientSession {
  /// A slot of a client's region as a buffer of the output that its scanout is on.
  ///
  /// Where the host counts imported memory, the slot's pages count from its first frame on, until its buffer has left
  /// the screen. A frame does not wait for memory: it is refused, and a later one in that slot asks again.
  func slotBuffer(
    _ range: MemoryRange, of host: RegionHost, id: UInt32, layout: FrameLayout, head: Surface
  ) throws(SlotRefusal) -> ClientBuffer {
    guard let presenter = head.presenter else { throw SlotRefusal(reason: .output, text: "it is on no output") }
    let byteCount = server.memory.settings.countsImports ? range.byteCount : 0
    if let why = objection(toBytes: byteCount) { throw SlotRefusal(reason: .noMemory, text: why) }
    do throws(OutputError) {
      let buffer = try importedBuffer(.memfd([range], [host.fd]), layout, 0, presenter)
      return ClientBuffer(
        id: id, buffer: buffer, usage: .frame, isImported: true, composeReason: nil, head: head, account: account,
        chargedBytes: byteCount)
    } catch {
      account.giveBack(byteCount)
      throw SlotRefusal(reason: .output, text: "\(error)")
    }
  }

  /// Takes memory that is there at once, or says why there is none.
  private func objection(toBytes byteCount: Int) -> String? {
    if byteCount == 0 { return nil }
    if account.admissionTicket != nil { return text(byteCount, nil) }
    switch account.request(byteCount) {
    case .granted: return nil
    case .suspended(let ticket):
      account.withdraw(ticket)
      return text(byteCount, nil)
    case .refused(let why): return text(byteCount, why)
    }
  }
}
