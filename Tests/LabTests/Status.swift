import PresentClient
import StatusModel

extension LabHost {
  func trace() throws -> DaemonTrace {
    try patiently { () throws(PresentClientError) in try PresentTool.trace(path: controlSocket) }
  }

  func status() throws -> DaemonStatus {
    try patiently { () throws(PresentClientError) in try PresentTool.status(path: controlSocket) }
  }
}

extension DaemonStatus {
  /// A VM's first scanout.
  func scanout(vm: String) throws -> Scanout {
    guard let scanout = scanout(ofVM: vm) else { throw LabError("the daemon has no VM \(vm)") }
    return scanout
  }
}
