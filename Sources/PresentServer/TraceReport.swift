import LinuxIO
import PresentProtocol
import StatusModel

extension DaemonTrace.Scanout {
  /// A surface without its frames.
  init(_ head: Surface, of session: ClientSession) {
    self.init(
      vm: head.vmName, pid: session.peer.pid, index: head.index, output: head.presenter?.name, frames: [])
  }
}

extension DaemonTrace.Frame {
  init(_ record: FrameTrace.Record) {
    // The record has 0 for a time that has not come.
    let known = { (nanoseconds: UInt64) in nanoseconds == 0 ? nil : nanoseconds }
    self.init(
      frame: record.frame, path: ScanoutPath(record.path), copies: record.copies, copiedBytes: record.copiedBytes,
      readyNanoseconds: known(record.readyNanoseconds), presentedNanoseconds: record.presentedNanoseconds,
      latchedNanoseconds: known(record.latchedNanoseconds), flippedNanoseconds: known(record.flippedNanoseconds),
      releasedNanoseconds: known(record.releasedNanoseconds), outcome: DaemonTrace.Outcome(record.outcome))
  }
}
