/// A release of QEMU.
public struct QEMUVersion: Comparable, Sendable, CustomStringConvertible {
  /// 10 in 10.2.1.
  public let major: Int
  /// 2 in 10.2.1.
  public let minor: Int
  /// 1 in 10.2.1; a development version has 50 or more.
  public let micro: Int

  /// A release by its numbers.
  public init(_ major: Int, _ minor: Int, _ micro: Int = 0) {
    self.major = major
    self.minor = minor
    self.micro = micro
  }

  /// Parses the output of `qemu-system-… -version`; nil if it is something else.
  public init?(versionOutput: String) {
    let marker = "QEMU emulator version "
    guard let line = versionOutput.split(separator: "\n").first(where: { $0.hasPrefix(marker) }) else { return nil }
    let number = line.dropFirst(marker.count).prefix { $0.isNumber || $0 == "." }
    let parts = number.split(separator: ".").map { Int($0) }
    guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
    self.init(major, minor, parts.count > 2 ? parts[2] ?? 0 : 0)
  }

  /// For example `10.2.1`.
  public var description: String { "\(major).\(minor).\(micro)" }

  /// Orders releases by age.
  public static func < (left: QEMUVersion, right: QEMUVersion) -> Bool {
    (left.major, left.minor, left.micro) < (right.major, right.minor, right.micro)
  }
}
