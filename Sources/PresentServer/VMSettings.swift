import DaemonSettings
import FrameScheduler
import Scanout

extension VMSettings {
  /// Linux waits 50 ms for a flip and then continues; with a lower cap it would draw into pages that are on screen.
  static let slowestPacedHertz: Int64 = 24

  /// Whether frames are so rare that a guest does not wait for their flips.
  var outlastsGuest: Bool { cappedHertz.map { $0 < VMSettings.slowestPacedHertz } ?? false }

  /// The name's FNV-1a hash, so that a VM that reconnects is the same owner and keeps its debt.
  static func owner(_ name: String) -> UInt64 { FNV1a(name).value }

  /// The configuration for a scheduler; copying a whole frame takes `frameNanoseconds`, or 0 if it is not copied.
  func configuration(vm: String, frameNanoseconds: Nanoseconds) -> VMConfiguration {
    var configuration = VMConfiguration(owner: VMSettings.owner(vm))
    configuration.weight = weight
    configuration.path = frameNanoseconds > 0 ? .blit : .plane
    configuration.rateCapMillihertz = cappedHertz.map { $0 * 1000 }
    configuration.unseenMillihertz = unseenHertz.map { $0 * 1000 }
    if let promisedHertz {
      configuration.serviceLevel = ServiceLevel(
        rateMillihertz: promisedHertz * 1000, frameNanoseconds: frameNanoseconds)
    }
    return configuration
  }
}
