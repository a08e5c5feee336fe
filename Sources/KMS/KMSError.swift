public import LinuxIO
public import Scanout

/// Why a DRM card, or one of its outputs, cannot be used.
public enum KMSError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A call failed.
  case system(SystemError)
  /// The device cannot do what every output needs; the text says what is missing.
  case unsuitable(path: String, String)
  /// Another program drives the card's screens.
  case masterTaken(path: String, holders: [MasterHolder])
  /// The driver lacks a property without which nothing can be shown.
  case missingProperty(object: String, name: String)
  /// The card has no connector of that name.
  case noConnector(String, has: [String])
  /// Nothing is plugged into the connector.
  case disconnected(String)
  /// The connector's monitor lacks that mode.
  case noMode(connector: String, wanted: DisplayMode, has: [DisplayMode])
  /// All CRTCs or primary planes that the connector could use are taken.
  case noPipeline(String)
  /// An output of that connector is open already.
  case inUse(String)
  /// The driver refused the configuration.
  case rejected(String, SystemError)

  /// The error for a person.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .unsuitable(let path, let what): "\(path): \(what)"
    case .masterTaken(let path, let holders):
      holders.isEmpty
        ? "\(path): another program is its DRM master"
        : "\(path): DRM master is taken by \(holders.map(\.description).joined(separator: ", "))"
    case .missingProperty(let object, let name): "\(object) has no property \(name)"
    case .noConnector(let name, let has):
      "there is no connector \(name); the card has \(has.isEmpty ? "none" : has.joined(separator: ", "))"
    case .disconnected(let name): "nothing is plugged into \(name)"
    case .noMode(let connector, let wanted, let has):
      "\(connector) has no mode \(wanted); it has \(has.map(\.description).joined(separator: ", "))"
    case .noPipeline(let name): "no free CRTC with a primary plane can drive \(name)"
    case .inUse(let name): "\(name) is in use already"
    case .rejected(let what, let error): "the driver refused \(what): \(error)"
    }
  }
}
