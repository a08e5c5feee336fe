import LinuxIO

/// The kernel's udmabuf, which exports a guest's pages as a dma-buf for the hardware.
public struct UdmabufFacts: Equatable, Sendable {
  /// Owner, group and mode of the node, such as `root:kvm 0660`; nil without a node.
  public var nodePermissions: String?
  /// The node's group.
  public var nodeGroup: String
  /// Whether this process may open the node.
  public var mayOpen: Bool
  /// The most memory ranges of one buffer.
  public var listLimit: Int?
  /// The most MiB of one buffer.
  public var sizeLimitMebibytes: Int?

  /// The ranges of a 1920×1080 frame if no two of its pages are adjacent.
  public static let worstFullHDPieces = 2025
  /// A limit that allows a 3840×2160 frame in single pages.
  public static let goodListLimit = 8192
  static let parameters = "/sys/module/udmabuf/parameters"

  /// The facts.
  public init(
    nodePermissions: String?, nodeGroup: String, mayOpen: Bool, listLimit: Int?, sizeLimitMebibytes: Int?
  ) {
    self.nodePermissions = nodePermissions
    self.nodeGroup = nodeGroup
    self.mayOpen = mayOpen
    self.listLimit = listLimit
    self.sizeLimitMebibytes = sizeLimitMebibytes
  }

  /// The facts of this host.
  ///
  /// - Parameter root: a prefix of every path; empty except in tests.
  public static func gather(root: String = "") -> UdmabufFacts {
    let node = "\(root)/dev/udmabuf"
    let status = LinuxFile.status(node)
    let group = status.map { HostProcess.groupName($0.gid) } ?? ""
    let number = { (name: String) in LinuxFile.text("\(root)\(parameters)/\(name)").flatMap { Int($0) } }
    return UdmabufFacts(
      nodePermissions: status.map { "\(HostProcess.userName($0.uid)):\(group) 0\(String($0.permissions, radix: 8))" },
      nodeGroup: group, mayOpen: LinuxFile.isAccessible(node, [.read, .write]), listLimit: number("list_limit"),
      sizeLimitMebibytes: number("size_limit_mb"))
  }

  /// The findings.
  public func findings(user: String) -> [Finding] {
    guard let nodePermissions else {
      return [
        Finding(
          .note, "/dev/udmabuf", "missing: every frame is copied once, zero copy is impossible",
          advice: "sudo modprobe udmabuf (CONFIG_UDMABUF; Debian 12's own kernel 6.1 lacks it, its backports have it).")
      ]
    }
    guard mayOpen else {
      return [
        Finding(
          .note, "/dev/udmabuf", "you (\(user)) may not open it (\(nodePermissions)): every frame is copied once",
          advice: "sudo usermod -aG \(nodeGroup) \(user) and log in again, or a udev rule that gives it to your group.")
      ]
    }
    return [Finding(.ok, "/dev/udmabuf", "you may open it (\(nodePermissions))")] + limitFindings
  }

  private var limitFindings: [Finding] {
    var findings: [Finding] = []
    if let listLimit {
      let isGood = listLimit >= UdmabufFacts.worstFullHDPieces
      findings.append(
        Finding(
          isGood ? .ok : .note, "udmabuf list_limit",
          isGood
            ? "\(listLimit) pieces of memory in a buffer"
            : """
            \(listLimit) pieces of memory in a buffer; a 1920x1080 frame of a guest with fragmented memory can have \
            \(UdmabufFacts.worstFullHDPieces), a 3840x2160 one 8100. A frame with more pieces is copied.
            """,
          advice: isGood
            ? nil
            : """
            For such a guest, a higher limit saves a copy of 8 MB per 1920x1080 frame, of 33 MB per 3840x2160 one. For \
            every boot: udmabuf.list_limit=\(UdmabufFacts.goodListLimit) on the kernel's command line, or options \
            udmabuf list_limit=\(UdmabufFacts.goodListLimit) in /etc/modprobe.d if it is a module. Now: \
            echo \(UdmabufFacts.goodListLimit) | sudo tee \(UdmabufFacts.parameters)/list_limit
            """))
    }
    if let sizeLimitMebibytes {
      // Triple-buffered 3840×2160 in one region has 95 MiB; a single frame 32.
      let isGood = sizeLimitMebibytes >= 32
      findings.append(
        Finding(
          isGood ? .ok : .note, "udmabuf size_limit_mb",
          "\(sizeLimitMebibytes) MiB in a buffer; a 1920x1080 frame needs 8, a 3840x2160 one 32",
          advice: isGood
            ? nil
            : "To save a copy of every larger frame: echo 64 | sudo tee \(UdmabufFacts.parameters)/size_limit_mb"))
    }
    return findings
  }
}
