import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import PresentProtocol

extension Server {
  /// Ends the clients whose memory was missing when the daemon accessed it in this iteration: a SIGBUS, which has
  /// spoilt only that mapping.
  func endSpoilt() {
    let count = Mapping.faultCount
    if count == seenFaultCount { return }
    seenFaultCount = count
    var owners: Set<VMID> = []
    for presenter in presenters { presenter.noteSpoilt(&owners) }
    for session in sessions where !session.isClosed && (owners.contains(session.account.id) || session.isSpoilt) {
      session.refuse(.malformed, MissingMemory.text, .none)
      clients.drop(session, MissingMemory.text)
    }
  }
}

extension ClientSession {
  fileprivate var isSpoilt: Bool {
    surfaces.contains { surface in
      surface.buffers.values.contains { $0.buffer.isSpoilt } || region(of: surface)?.isSpoilt == true
    }
  }
}

extension Presenter {
  /// Adds the owners of spoilt buffers in use, destroyed ones too.
  fileprivate func noteSpoilt(_ owners: inout Set<VMID>) {
    func note(_ buffer: ClientBuffer?) {
      if let buffer, buffer.buffer.isSpoilt { owners.insert(buffer.account.id) }
    }
    for view in views {
      for held in view.held { note(held.frame.buffer) }
      for frame in [view.staged?.frame, view.latched, view.painted] { note(frame?.buffer) }
    }
    for entry in onScreen.entries + (inFlight?.entries ?? []) { note(entry.frame.buffer) }
  }
}
