import DaemonSettings
import FrameScheduler
import GraphicsMemory
import HybridRegion
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// Why a slot of a region cannot be used as a buffer of the output.
struct SlotRefusal: Error {
  var reason: RegionReason
  var text: String
}

extension ClientSession: RegionConnection {
  var isShared: Bool { server.clients.isShared }

  func willEndRound(_ region: RegionFeed) { server.rounds.willEndRound(region) }

  func sendRegionNews(of surface: Surface) { send(.regionNews(scanout: surface.id.wire)) }

  func slotBuffer(
    _ range: MemoryRange, of memory: SharedFD, id: BufferID, layout: FrameLayout, surface: Surface
  ) throws(SlotRefusal) -> ClientBuffer {
    guard let presenter = surface.presenter else { throw SlotRefusal(reason: .output, text: "it has no output") }
    let byteCount = server.memory.settings.countsImports ? range.byteCount : 0
    if let why = account.objection(toBytes: byteCount) { throw SlotRefusal(reason: .noMemory, text: why) }
    do throws(OutputError) {
      let buffer = try presenter.importedBuffer(.memfd([range], [memory]), layout, 0)
      return ClientBuffer(
        id: id, buffer: buffer, usage: .frame, isImported: true, composeReason: nil, surface: surface, account: account,
        chargedBytes: byteCount, descriptors: descriptors, pages: ClientPages([range], [memory]))
    } catch {
      account.giveBack(byteCount)
      throw SlotRefusal(reason: .output, text: "\(error)")
    }
  }
}

extension MemoryAccount {
  /// Takes memory if it is available immediately; otherwise returns the reason.
  func objection(toBytes byteCount: Int) -> String? {
    if byteCount == 0 { return nil }
    if admissionTicket != nil { return text(byteCount, nil) }
    switch request(byteCount) {
    case .granted: return nil
    case .suspended(let ticket):
      withdraw(ticket)
      return text(byteCount, nil)
    case .refused(let why): return text(byteCount, why)
    }
  }
}
