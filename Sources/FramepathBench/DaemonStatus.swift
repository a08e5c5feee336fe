import FoundationEssentials
import LinuxIO
import PresentClient

/// What the daemon has counted of one scanout; keys as `framepath status --json` has them.
struct DaemonStatus: Decodable {
  struct Scanout: Decodable {
    var path: String
    var pathReason: String
    var framesPresented: UInt64
    var framesFlipped: UInt64
    var framesSuperseded: UInt64
    var framesRejected: UInt64
    var cpuCopies: UInt64
    var copiedBytes: UInt64
    var latchMedianNanoseconds: UInt64
    var latchP99Nanoseconds: UInt64
    var lastLatchNanoseconds: UInt64

    /// Frames that the daemon still has something to say about.
    var openFrames: UInt64 { framesPresented - framesFlipped - framesSuperseded - framesRejected }
  }
  struct VM: Decodable {
    var name: String
    var scanouts: [Scanout]
  }
  struct Output: Decodable { var commits: UInt64 }

  var outputs: [Output]
  var vms: [VM]

  /// Asks the daemon.
  init(socket: String) throws(BenchError) {
    do {
      self = try JSONDecoder().decode(DaemonStatus.self, from: Data(try PresentTool.status(path: socket)))
    } catch {
      throw BenchError("framepathd's status: \(error)")
    }
  }

  /// The first scanout of a VM.
  func scanout(vm: String) throws(BenchError) -> Scanout {
    guard let scanout = vms.first(where: { $0.name == vm })?.scanouts.first else {
      throw BenchError("framepathd knows no scanout of \(vm)")
    }
    return scanout
  }

  /// Commits of all outputs.
  var commits: UInt64 { outputs.reduce(0) { $0 + $1.commits } }
}
