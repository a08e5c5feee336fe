import LinuxIO

/// A process of this host.
public struct ProcessName: Equatable, Sendable, CustomStringConvertible {
  /// The process id.
  public let pid: Int
  /// The program's name, as in `ps`.
  public let name: String

  /// A process.
  public init(pid: Int, name: String) {
    self.pid = pid
    self.name = name
  }

  /// For example `Xorg (pid 812)`.
  public var description: String { "\(name) (pid \(pid))" }
}

/// A connector of a card.
public struct ConnectorFacts: Equatable, Sendable {
  /// The connector's name, such as `HDMI-A-1`.
  public let name: String
  /// Whether a monitor is plugged in; nil if the driver cannot detect it.
  public let isConnected: Bool?
  /// The monitor's preferred mode, such as `1920x1080`; nil without one.
  public let preferredMode: String?

  /// A connector.
  public init(name: String, isConnected: Bool?, preferredMode: String?) {
    self.name = name
    self.isConnected = isConnected
    self.preferredMode = preferredMode
  }
}

/// A DRM card as described by sysfs, debugfs and /proc, without opening it.
public struct CardFacts: Equatable, Sendable {
  /// `card0`.
  public var name: String
  /// The kernel driver's name.
  public var driver: String
  /// The connectors in sysfs's order; empty for a card that only renders.
  public var connectors: [ConnectorFacts]
  /// Owner, group and mode of the node, such as `root:video 0660`; nil without a node.
  public var nodePermissions: String?
  /// The node's group.
  public var nodeGroup: String
  /// Whether this process may open the node.
  public var mayOpen: Bool
  /// The processes that have the node open, as far as this user can see.
  public var holders: [ProcessName]
  /// The card's DRM master.
  public var master: Master
  /// The results of opening the card; nil if it was not opened.
  public var opened: Opened?

  /// Properties that only an open card shows.
  public struct Opened: Equatable, Sendable {
    /// Whether this process could be DRM master.
    public let isFree: Bool
    /// Why Framepath cannot use the card; nil if it can.
    public let unsuitable: String?
    /// Whether the driver reports that it imports buffers; some refuse those of guests' pages nevertheless.
    public let importsBuffers: Bool
    /// Whether the hardware has writeback connectors.
    public let hasWriteback: Bool

    /// All fields.
    public init(isFree: Bool, unsuitable: String?, importsBuffers: Bool, hasWriteback: Bool) {
      self.isFree = isFree
      self.unsuitable = unsuitable
      self.importsBuffers = importsBuffers
      self.hasWriteback = hasWriteback
    }
  }

  /// A card's DRM master.
  public enum Master: Equatable, Sendable {
    /// This process.
    case process(ProcessName)
    /// No process is master.
    case nobody
    /// Unknown: debugfs is not readable.
    case unknown
  }

  /// The path of the node, such as `/dev/dri/card0`.
  public var path: String { "/dev/dri/\(name)" }

  /// A card.
  public init(
    name: String, driver: String, connectors: [ConnectorFacts], nodePermissions: String?, nodeGroup: String,
    mayOpen: Bool, holders: [ProcessName], master: Master
  ) {
    self.name = name
    self.driver = driver
    self.connectors = connectors
    self.nodePermissions = nodePermissions
    self.nodeGroup = nodeGroup
    self.mayOpen = mayOpen
    self.holders = holders
    self.master = master
  }

  /// All cards of the host.
  ///
  /// - Parameter root: a prefix of every path; empty except in tests.
  public static func gather(root: String = "") -> [CardFacts] {
    let names = (try? LinuxFile.list("\(root)/sys/class/drm")) ?? []
    let holders = holdersByPath(root: root)
    return names.filter { $0.hasPrefix("card") && $0.dropFirst(4).allSatisfy(\.isNumber) }.map { name in
      let sysfs = "\(root)/sys/class/drm/\(name)"
      let node = "\(root)/dev/dri/\(name)"
      let status = LinuxFile.status(node)
      let group = status.map { HostProcess.groupName($0.gid) } ?? ""
      let debugfs = "\(root)/sys/kernel/debug/dri/\(name.dropFirst(4))"
      let clients = LinuxFile.text("\(debugfs)/clients")
      return CardFacts(
        name: name, driver: driverName(sysfs: sysfs, debugfs: debugfs),
        // A writeback connector cannot have a monitor.
        connectors: names.filter { $0.hasPrefix("\(name)-") && !$0.hasPrefix("\(name)-Writeback-") }.map { connector in
          connectorFacts("\(root)/sys/class/drm/\(connector)", name: String(connector.dropFirst(name.count + 1)))
        },
        nodePermissions: status.map {
          "\(HostProcess.userName($0.uid)):\(group) 0\(String($0.permissions, radix: 8))"
        },
        nodeGroup: group, mayOpen: LinuxFile.isAccessible(node, [.read, .write]),
        holders: holders["/dev/dri/\(name)"] ?? [], master: clients.map(master(clients:)) ?? .unknown)
    }
  }

  private static func driverName(sysfs: String, debugfs: String) -> String {
    // `virtio_gpu dev=0000:00:01.0 unique=0000:00:01.0`; sysfs would give the bus driver, virtio-pci.
    if let name = LinuxFile.text("\(debugfs)/name")?.split(separator: " ").first { return String(name) }
    let last = { (link: String?) in link.flatMap { $0.split(separator: "/").last }.map(String.init) }
    // A device without its own driver, such as vkms's, is named after it.
    if let driver = last(LinuxFile.linkTarget("\(sysfs)/device/driver")), driver != "faux_driver" { return driver }
    return last(LinuxFile.linkTarget("\(sysfs)/device")) ?? "unknown driver"
  }

  private static func connectorFacts(_ sysfs: String, name: String) -> ConnectorFacts {
    let status = LinuxFile.text("\(sysfs)/status")
    let modes = LinuxFile.text("\(sysfs)/modes") ?? ""
    return ConnectorFacts(
      name: name, isConnected: status == "connected" ? true : status == "disconnected" ? false : nil,
      preferredMode: modes.split(separator: "\n").first.map(String.init))
  }

  /// The master in debugfs's `clients`: columns command, tgid, dev, master (y or n), and further ones.
  static func master(clients: String) -> Master {
    for line in clients.split(separator: "\n") {
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      // A command may contain spaces: the columns are counted from the first two adjacent numbers.
      guard fields.count >= 4,
        let index = (1..<fields.count - 2).first(where: { at in
          Int(fields[at]) != nil && Int(fields[at + 1]) != nil && ["y", "n"].contains(fields[at + 2])
        })
      else { continue }
      guard fields[index + 2] == "y", let pid = Int(fields[index]) else { continue }
      return .process(ProcessName(pid: pid, name: fields[..<index].joined(separator: " ")))
    }
    return .nobody
  }

  /// The processes that have each DRM node open, as far as this user can read /proc.
  private static func holdersByPath(root: String) -> [String: [ProcessName]] {
    var holders: [String: [ProcessName]] = [:]
    for directory in (try? LinuxFile.list("\(root)/proc")) ?? [] {
      guard let pid = Int(directory) else { continue }
      var seen: Set<String> = []
      for number in (try? LinuxFile.list("\(root)/proc/\(pid)/fd")) ?? [] {
        guard let target = LinuxFile.linkTarget("\(root)/proc/\(pid)/fd/\(number)"), target.hasPrefix("/dev/dri/card"),
          seen.insert(target).inserted
        else { continue }
        let name = LinuxFile.text("\(root)/proc/\(pid)/comm") ?? "a process"
        holders[target, default: []].append(ProcessName(pid: pid, name: name))
      }
    }
    return holders
  }
}
