import DaemonSettings
import FrameScheduler

extension VMSettings {
  /// Linux waits 50 ms for a flip, then draws on; with a lower cap it would draw into what is on screen.
  static let slowestPacedHertz: Int64 = 24

  /// Whether its frames come on screen so rarely that a guest does not wait for them.
  var outlastsGuest: Bool { cappedHertz.map { $0 < VMSettings.slowestPacedHertz } ?? false }

  /// The name's FNV-1a hash: a VM that goes and comes again is the same owner, and keeps its debt.
  static func owner(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01b3 }
    return hash
  }

  /// For the scheduler of an output on which a whole frame takes so long to copy; 0 where it is not copied.
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
