import PresentClient
import StatusModel

extension DaemonStatus {
  /// Asks the daemon.
  init(socket: String) throws(BenchError) {
    do throws(PresentClientError) {
      self = try PresentTool.status(path: socket)
    } catch {
      throw BenchError("framepathd's status: \(error)")
    }
  }

  /// The first scanout of a VM.
  func scanout(vm: String) throws(BenchError) -> Scanout {
    guard let scanout = scanout(ofVM: vm) else { throw BenchError("framepathd has no VM \(vm)") }
    return scanout
  }
}

extension DaemonTrace {
  /// Asks the daemon.
  init(socket: String) throws(BenchError) {
    do throws(PresentClientError) {
      self = try PresentTool.trace(path: socket)
    } catch {
      throw BenchError("framepathd's trace: \(error)")
    }
  }

  /// The last frames of a VM's first scanout, the oldest first.
  func frames(vm: String) throws(BenchError) -> [Frame] {
    guard let frames = frames(ofVM: vm) else { throw BenchError("framepathd has no VM \(vm)") }
    return frames
  }
}
