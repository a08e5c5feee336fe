import LinuxIO

/// Runs a measurement in its own process group, and cleans up after it however it ends.
///
/// The measuring process may be killed at any point; then this process ends its children and removes its files.
public enum BenchSupervisor {
  private static let mark = "FRAMEPATH_BENCH_WORKER"

  /// Whether this is the measuring process.
  public static var isWorker: Bool { environmentVariable(mark) != nil }

  /// Runs this program again with the same arguments as the measuring process, and waits for its end.
  ///
  /// - Returns: the exit status for this process; 128 plus the signal's number if a signal ended the measurement.
  public static func run(arguments: [String]) throws(BenchError) -> Int32 {
    try mapped { () throws(SystemError) in
      let folder = try TemporaryFolder(prefix: "framepath-bench")
      defer { removeTree(folder.path) }
      let signals = try SignalFD(SignalFD.terminationSignals)
      var command = ChildCommand("/proc/self/exe", arguments)
      command.input = .inherit
      command.output = .inherit
      command.error = .inherit
      command.leadsGroup = true
      command.addedEnvironment = [mark: "1", "TMPDIR": folder.path]
      let worker = try ChildProcess(command)
      let loop = try EventLoop()
      var received: Int32?
      var hasEnded = false
      _ = try loop.add(signals.fd.raw) { _ in
        received = signals.next()
        worker.terminate()
      }
      _ = try loop.add(worker.pidFD) { _ in hasEnded = true }
      while !hasEnded { try loop.runOnce() }
      // The group outlives its leader, and its number is not reused until the leader is reaped.
      if received != nil { HostProcess.sleep(milliseconds: 200) }
      worker.kill()
      let exit = worker.waitForExit(timeoutMilliseconds: 1000)
      if let received { return 128 + received }
      switch exit {
      case .status(let code)?: return code
      case .signal(let number)?: return 128 + number
      case nil: return 1
      }
    }
  }

  /// Removes a folder of our own and what is below it.
  private static func removeTree(_ path: String) {
    for name in (try? LinuxFile.list(path)) ?? [] {
      let child = "\(path)/\(name)"
      if LinuxFile.status(child)?.kind == .directory {
        removeTree(child)
      } else {
        removeFile(child)
      }
    }
    removeFolder(path)
  }
}
