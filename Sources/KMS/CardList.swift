import CDRM
import LinuxIO

/// What can be known of a card without driving its screens.
public struct CardSummary: Equatable, Sendable {
  /// Whether a program could become the card's DRM master.
  public enum Master: Equatable, Sendable {
    /// Nobody is.
    case free
    /// Somebody else is; who, as far as it can be told.
    case held([MasterHolder])
    /// The card could not be opened, so it is unknown; the text says why.
    case unknown(String)
  }

  /// The card's node, `/dev/dri/card0`.
  public var path: String
  /// The driver's name; empty where the card cannot be opened.
  public var driverName: String
  /// What is plugged in, as the kernel last saw it.
  public var connectors: [ConnectorDescription]
  /// Who drives it.
  public var master: Master
  /// Why Framepath cannot use it, whoever drives it; nil where it can.
  public var unsuitable: String?
  /// Whether it can show memory of clients without a copy, as far as its driver says.
  public var importsBuffers: Bool
  /// Whether the hardware can write pictures of its screens back into memory.
  public var hasWriteback: Bool
}

extension KMSCard {
  /// All cards of this machine. No mastership is kept, and no monitor is asked anything.
  public static func list() -> [CardSummary] {
    ((try? LinuxFile.list("/dev/dri")) ?? [])
      .filter { $0.hasPrefix("card") && Int($0.dropFirst(4)) != nil }
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
    // The first to open a card becomes its master, and whoever may become it finds it free: give it back at once.
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
