import DaemonSettings
import FrameScheduler
import Scanout

/// What copying a whole frame of a scanout takes at most.
struct DeclaredCopy {
  var byteCount: Int64
  var nanoseconds: Nanoseconds
}

extension VMSettings {
  /// Linux waits 50 ms for a flip and then continues; with a lower cap it would draw into pages that are on screen.
  static let slowestPacedHertz: Int64 = 24

  /// Whether frames are so rare that a guest does not wait for their flips.
  var outlastsGuest: Bool { cappedHertz.map { $0 < VMSettings.slowestPacedHertz } ?? false }

  /// The name's FNV-1a hash, so that a VM that reconnects is the same owner and keeps its debt.
  static func owner(_ name: String) -> UInt64 { FNV1a(name).value }

  /// The configuration for a scheduler; `copy` is nil if frames are not copied.
  func configuration(vm: String, copy: DeclaredCopy?) -> VMConfiguration {
    var configuration = VMConfiguration(owner: VMSettings.owner(vm))
    configuration.weight = weight
    configuration.path = copy == nil ? .plane : .blit
    configuration.rateCapMillihertz = cappedHertz.map { $0 * 1000 }
    configuration.unseenMillihertz = unseenHertz.map { $0 * 1000 }
    if let promisedHertz {
      var level = ServiceLevel(rateMillihertz: promisedHertz * 1000, frameNanoseconds: copy?.nanoseconds ?? 0)
      level.frameByteCount = copy?.byteCount
      configuration.serviceLevel = level
    }
    return configuration
  }
}
