import FrameScheduler

/// How a VM is treated, by the host's command; kept by its name, whether it is connected or not.
public struct VMSettings: Equatable, Sendable {
  /// Its share against the others', 1 to 10 000.
  public var weight: Int64 = 100
  /// Frames per second that it is promised; nil: none.
  public var promisedHertz: Int64?
  /// The most frames per second that it gets; nil: the refresh rate.
  public var cappedHertz: Int64?
  /// The most frames per second while nobody sees it; nil: 2.
  public var unseenHertz: Int64?
  /// Bytes of host buffers that it may hold; nil: the server's limit.
  public var memoryLimitBytes: Int?

  /// The output of each scanout; none, and where there are too few, it is as the VM wishes.
  public var outputs: [String] = []

  /// Linux waits 50 ms for a flip, then draws on; with a lower cap it would draw into what is on screen.
  static let slowestPacedHertz: Int64 = 24

  /// Whether its frames come on screen so rarely that a guest does not wait for them.
  var outlastsGuest: Bool { cappedHertz.map { $0 < VMSettings.slowestPacedHertz } ?? false }

  /// The settings of a VM of which nothing was said.
  public init() {}

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
