import LinuxIO

/// A process that has a card open, or is its DRM master.
public struct MasterHolder: Equatable, Sendable, CustomStringConvertible {
  /// The program's name.
  public var program: String
  /// Its process id.
  public var pid: Int32
  /// Whether the kernel names it as the master; else it only has the card open.
  public var isCertain: Bool

  /// For example `Xorg (pid 612)`.
  public var description: String { isCertain ? "\(program) (pid \(pid))" : "perhaps \(program) (pid \(pid))" }

  /// The processes that hold a card: the master if debugfs can be read, else every other process that has the card
  /// open.
  static func find(path: String, minor: Int?) -> [MasterHolder] {
    if let minor, let text = LinuxFile.text("/sys/kernel/debug/dri/\(minor)/clients") {
      let holders = masters(clientsText: text)
      if !holders.isEmpty { return holders }
    }
    return FileOpener.all(of: path).map { MasterHolder(program: $0.program, pid: $0.pid, isCertain: false) }
  }

  /// The masters in debugfs's `clients` table.
  ///
  /// ```
  ///              command  tgid dev master a   uid      magic
  ///                 Xorg   612   0   y    y     0          0
  /// ```
  /// A command may contain spaces: a row is recognised by its number, number, y or n, y or n, number.
  static func masters(clientsText text: String) -> [MasterHolder] {
    var result: [MasterHolder] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      for index in words.indices where index > 0 && index + 4 < words.count {
        guard let pid = Int32(words[index]), Int(words[index + 1]) != nil, Int(words[index + 4]) != nil,
          ["y", "n"].contains(words[index + 2]), ["y", "n"].contains(words[index + 3])
        else { continue }
        if words[index + 2] == "y" {
          result.append(MasterHolder(program: words[..<index].joined(separator: " "), pid: pid, isCertain: true))
        }
        break
      }
    }
    return result
  }
}
