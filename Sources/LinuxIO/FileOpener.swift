/// A process that has a file open.
public struct FileOpener: Equatable, Sendable, CustomStringConvertible {
  /// The process id.
  public let pid: Int32
  /// The program's name, as in /proc/PID/comm.
  public let program: String

  /// A process.
  public init(pid: Int32, program: String) {
    self.pid = pid
    self.program = program
  }

  /// For example `Xorg (pid 612)`.
  public var description: String { "\(program) (pid \(pid))" }

  /// The processes that have this file open, as far as this user may see them, without the calling one.
  ///
  /// Reads /proc/PID/fd of every process.
  public static func all(of path: String) -> [FileOpener] {
    let own = currentProcessID()
    let processes = ((try? LinuxFile.list("/proc")) ?? []).compactMap { Int32($0) }.filter { $0 != own }
    return processes.compactMap { pid in
      let descriptors = (try? LinuxFile.list("/proc/\(pid)/fd")) ?? []
      guard descriptors.contains(where: { LinuxFile.linkTarget("/proc/\(pid)/fd/\($0)") == path }) else { return nil }
      return FileOpener(pid: pid, program: LinuxFile.text("/proc/\(pid)/comm") ?? "?")
    }
  }
}
