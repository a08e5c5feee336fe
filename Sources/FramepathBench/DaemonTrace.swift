import FoundationEssentials
import LinuxIO
import PresentClient

/// When the daemon's last frames did what; keys as Docs/Protocol.md has them.
struct DaemonTrace: Decodable {
  /// A frame; times are CLOCK_MONOTONIC nanoseconds, 0 for what has not happened.
  struct Frame: Decodable {
    var frame: UInt64
    var readyNanoseconds: UInt64
    var presentedNanoseconds: UInt64
    var latchedNanoseconds: UInt64
    var flippedNanoseconds: UInt64
    var releasedNanoseconds: UInt64
  }
  struct Scanout: Decodable {
    var vm: String
    var frames: [Frame]
  }

  var scanouts: [Scanout]

  /// Asks the daemon.
  init(socket: String) throws(BenchError) {
    do {
      self = try JSONDecoder().decode(DaemonTrace.self, from: Data(try PresentTool.trace(path: socket)))
    } catch {
      throw BenchError("framepathd's trace: \(error)")
    }
  }

  /// The last frames of a VM's first scanout, the oldest first.
  func frames(vm: String) throws(BenchError) -> [Frame] {
    guard let scanout = scanouts.first(where: { $0.vm == vm }) else {
      throw BenchError("framepathd knows no scanout of \(vm)")
    }
    return scanout.frames
  }
}
