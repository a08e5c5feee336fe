import PresentProtocol

/// The device's settings: those of the command line, else the host's, else the defaults.
struct DeviceOptions {
  /// The time from the guest's stop until the screen is blanked.
  enum BlankTime: Equatable, Sendable {
    case never
    case seconds(UInt32)

    var seconds: UInt32? {
      guard case .seconds(let seconds) = self else { return nil }
      return seconds
    }

    /// Reads `never`, 0, or seconds up to a day.
    init?(_ text: String) {
      if text == "never" || text == "0" {
        self = .never
      } else {
        guard let seconds = UInt32(text), seconds <= 86_400 else { return nil }
        self = .seconds(seconds)
      }
    }
  }

  static let defaultMemoryLimitBytes = 256 << 20

  /// From the command line.
  let memoryLimitBytes: Int?
  /// From the command line.
  let blankTime: BlankTime?
  /// The host's, as the daemon last sent them: they stay while it is away.
  var host = DeviceSettings()

  init(memoryLimitBytes: Int?, blankTime: BlankTime?) {
    self.memoryLimitBytes = memoryLimitBytes
    self.blankTime = blankTime
  }

  var memoryLimitInForce: Int {
    memoryLimitBytes ?? host.memoryLimitBytes.map { Int(clamping: $0) } ?? DeviceOptions.defaultMemoryLimitBytes
  }

  private var blankSecondsInForce: UInt32? { blankTime.map(\.seconds) ?? host.blankStoppedSeconds }

  var blankNanosecondsInForce: UInt64? { blankSecondsInForce.map { UInt64($0) * 1_000_000_000 } }

  /// What is in force, for the daemon's status.
  var inForce: DeviceSettings {
    DeviceSettings(
      memoryLimitBytes: UInt64(memoryLimitInForce),
      blankStoppedSeconds: blankSecondsInForce)
  }
}
