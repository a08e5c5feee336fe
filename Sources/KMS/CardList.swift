import CDRM
import LinuxIO

/// A card's description, without driving its outputs.
public struct CardSummary: Equatable, Sendable {
  /// The state of the card's DRM mastership.
  public enum Master: Equatable, Sendable {
    /// The card has no master.
    case free
    /// Another program is the master; the processes, as far as they can be found.
    case held([MasterHolder])
    /// Unknown: the card cannot be opened for the reason in the text.
    case unknown(String)
  }

  /// The card's node, `/dev/dri/card0`.
  public var path: String
  /// The driver's name; empty if the card cannot be opened.
  public var driverName: String
  /// The connectors as last probed by the kernel.
  public var connectors: [ConnectorDescription]
  /// The state of its DRM mastership.
  public var master: Master
  /// Why Framepath cannot use the card, independent of its master; nil if it can.
  public var unsuitable: String?
  /// Whether the driver can show clients' memory without a copy (`DRM_PRIME_CAP_IMPORT`).
  public var importsBuffers: Bool
  /// Whether the hardware has writeback connectors.
  public var hasWriteback: Bool
}

extension KMSCard {
  /// Whether this machine has a card now. Opens none.
  public static var areThereAny: Bool { !names.isEmpty }

  private static var names: [String] {
    ((try? LinuxFile.list("/dev/dri")) ?? []).filter { $0.hasPrefix("card") && Int($0.dropFirst(4)) != nil }
  }

  /// All cards of this machine. Mastership is not kept, and monitors are not probed.
  public static func list() -> [CardSummary] {
    names
      .sorted { (Int($0.dropFirst(4)) ?? 0) < (Int($1.dropFirst(4)) ?? 0) }
      .map { summary(of: "/dev/dri/\($0)") }
  }

  private static func summary(of path: String) -> CardSummary {
    var summary = CardSummary(
      path: path, driverName: "", connectors: [], master: .free, unsuitable: nil, importsBuffers: false,
      hasWriteback: false)
    let device: CardDevice
    do {
      device = try CardDevice(path: path)
    } catch {
      summary.master = .unknown(error.description)
      return summary
    }
    summary.driverName = device.driverName
    // The first process to open a card becomes its master: give mastership back at once.
    if device.isMaster || (try? device.becomeMaster()) != nil {
      device.dropMaster()
    } else {
      summary.master = .held(MasterHolder.find(path: path, minor: device.minor))
    }
    do throws(KMSError) {
      let capabilities = try CardCapabilities(device)
      summary.importsBuffers = capabilities.importsBuffers
      let connectors = (try? Topology.connectors(device, probe: false)) ?? []
      summary.connectors = connectors.filter { !$0.isWriteback }.map(\.description)
      summary.hasWriteback = connectors.contains(where: \.isWriteback)
      if summary.connectors.isEmpty { summary.unsuitable = "\(path): the card has no connector" }
    } catch {
      summary.unsuitable = error.description
    }
    return summary
  }
}
