import LinuxIO
import PresentProtocol
import StatusModel

extension DaemonTrace.Scanout {
  /// An entry for a surface, without its frames.
  init(_ surface: Surface, of session: ClientSession) {
    self.init(
      vm: surface.vmName, pid: session.peer.pid, index: surface.index, output: surface.presenter?.name, frames: [])
  }
}

extension DaemonTrace.Frame {
  init(_ record: FrameTrace.Record) {
    self.init(
      frame: record.frame, path: ScanoutPath(record.path), copies: record.copies, copiedBytes: record.copiedBytes,
      readyNanoseconds: record.readyNanoseconds, presentedNanoseconds: record.presentedNanoseconds,
      latchedNanoseconds: record.latchedNanoseconds, flippedNanoseconds: record.flippedNanoseconds,
      releasedNanoseconds: record.releasedNanoseconds, outcome: DaemonTrace.Outcome(record.outcome))
  }
}
