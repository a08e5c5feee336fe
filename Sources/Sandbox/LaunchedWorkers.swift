import LinuxIO

/// Finds the processes of programs that consist of a launcher and a worker.
public enum LaunchedWorkers {
  /// The workers of a launcher; empty for another process, and for one that has ended.
  ///
  /// Reads /proc/PID/task/PID/children (CONFIG_PROC_CHILDREN, which all distributions set).
  public static func of(_ launcher: Int32) -> [Int32] {
    let children = LinuxFile.text("/proc/\(launcher)/task/\(launcher)/children") ?? ""
    return children.split(separator: " ").compactMap { Int32($0) }.filter { isWorker($0, of: launcher) }
  }

  /// A process with its workers.
  public static func with(_ launcher: Int32) -> [Int32] { [launcher] + of(launcher) }

  private static func isWorker(_ process: Int32, of launcher: Int32) -> Bool {
    let words = ((try? LinuxFile.read("/proc/\(process)/cmdline")) ?? []).split(separator: 0)
    return words.suffix(2).map { String(decoding: $0, as: UTF8.self) } == [WorkerCommand.option, "\(launcher)"]
  }
}
