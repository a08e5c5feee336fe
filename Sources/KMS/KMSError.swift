public import LinuxIO
public import Scanout

/// Why a DRM card, or one of its outputs, cannot be used.
public enum KMSError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A call failed.
  case system(SystemError)
  /// The device lacks a feature that every output needs; the text names it.
  case unsuitable(path: String, String)
  /// Another program is the card's DRM master.
  case masterTaken(path: String, holders: [MasterHolder])
  /// The driver lacks a required property.
  case missingProperty(object: String, name: String)
  /// The card has no connector of that name.
  case noConnector(String, has: [String])
  /// Nothing is plugged into the connector.
  case disconnected(String)
  /// The connector's monitor does not have that mode.
  case noMode(connector: String, wanted: DisplayMode, has: [DisplayMode])
  /// All CRTCs or primary planes for the connector are in use.
  case noPipeline(String)
  /// The connector has an output already.
  case inUse(String)
  /// The driver refused the configuration.
  case rejected(String, SystemError)

  /// A message for the user.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .unsuitable(let path, let what): "\(path): \(what)"
    case .masterTaken(let path, let holders):
      holders.isEmpty
        ? "\(path): another program is its DRM master"
        : "\(path): DRM master is taken by \(holders.map(\.description).joined(separator: ", "))"
    case .missingProperty(let object, let name): "\(object) lacks the property \(name)"
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
