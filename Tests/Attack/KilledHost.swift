import LinuxIO
import PresentClient
import StatusModel
import TestSupport

/// A daemon with four VMs and two clients, each on its own output, all of which are started again after their end.
final class KilledHost {
  let folder: TemporaryFolder
  private(set) var daemon: TestProgram
  private(set) var machines: [PlayedMachine] = []
  private(set) var clients: [TestProgram] = []
  private static let clientNames = ["box0", "box1"]
  private static let machineNames = ["vm0", "vm1", "vm2", "vm3"]

  init() throws {
    folder = try TemporaryFolder(prefix: "kills")
    daemon = try KilledHost.startDaemon(folder.path)
    _ = try status(within: 10_000_000_000)
    machines = try KilledHost.machineNames.indices.map(machine)
    for machine in machines { try machine.waitForFlip() }
    clients = try KilledHost.clientNames.indices.map(client)
  }

  private static func startDaemon(_ folder: String) throws -> TestProgram {
    let outputs = (machineNames + clientNames).flatMap { _ in ["--output", "headless:1280x720@60"] }
    var command = ChildCommand(Programs.path("framepathd"), outputs + ["--socket", "\(folder)/daemon.sock"])
    command.output = .null
    command.error = .file("\(folder)/daemon.log")
    return try TestProgram(command)
  }

  private func machine(_ index: Int) throws -> PlayedMachine {
    try PlayedMachine(
      KilledHost.machineNames[index], folder: folder.path, daemon: "\(folder.path)/daemon.sock",
      output: "headless-\(index)")
  }

  private func client(_ index: Int) throws -> TestProgram {
    // It does not wait for a daemon that it has never seen.
    _ = try status(within: 10_000_000_000)
    var command = ChildCommand(
      Programs.path("framepath-guest"),
      [
        "pattern", "--daemon", "\(folder.path)/daemon.sock", "--name", KilledHost.clientNames[index], "--frames", "0",
        "--rate", "60", "--still", "--size", "640x480",
      ])
    command.output = .null
    command.error = .file("\(folder.path)/\(KilledHost.clientNames[index]).log")
    let client = try TestProgram(command)
    try client.wait(for: "connection") {
      try !client.isRunning || status(within: 10_000_000_000).vms.contains { $0.pid == client.pid }
    }
    return client
  }

  // MARK: - Starting again

  /// Kills the daemon, and starts another one, which is not waited for.
  func restartDaemon() throws {
    daemon.kill()
    _ = try daemon.exit()
    daemon = try KilledHost.startDaemon(folder.path)
  }

  /// Starts a VM again, whose backend was killed: with a new guest, as its QEMU has lost the device. Does not wait.
  func restartMachine(_ index: Int) throws {
    machines[index].end()
    machines[index] = try machine(index)
  }

  /// Starts a client again, and waits until it is connected.
  func restartClient(_ index: Int) throws {
    clients[index].kill()
    _ = try clients[index].exit()
    clients[index] = try client(index)
  }

  // MARK: - Looking

  /// The status of the daemon that runs now; nil if it does not answer in time.
  func status(within nanoseconds: UInt64) throws -> DaemonStatus {
    let deadline = monotonicNanoseconds() + nanoseconds
    while true {
      do {
        let status = try PresentTool.status(path: "\(folder.path)/daemon-control.sock")
        if status.process.pid == daemon.pid { return status }
      } catch {
        if monotonicNanoseconds() >= deadline { throw error }
      }
      if !daemon.isRunning { throw AttackerFailure(text: "the daemon has ended by itself: \(log("daemon"))") }
      HostProcess.sleep(milliseconds: 5)
    }
  }

  /// Waits until all VMs and clients show frames; returns the daemon's figures then.
  func settledDaemon() throws -> Holdings {
    try daemon.wait(for: "frame of every client") {
      let vms = try status(within: 10_000_000_000).vms
      return vms.count == machines.count + clients.count
        && vms.allSatisfy { ($0.scanouts.first?.framesFlipped ?? 0) >= 4 }
    }
    return try Holdings(pid: daemon.pid)
  }

  /// The last lines of a program's log.
  func log(_ name: String) -> String {
    let text = (try? LinuxFile.read("\(folder.path)/\(name).log", limit: 1 << 24)) ?? []
    return String(decoding: text, as: UTF8.self).split(separator: "\n").suffix(4).joined(separator: " | ")
  }

  // MARK: - The end

  /// Ends all; returns what is left behind.
  func end() throws -> [String] {
    for machine in machines { machine.end() }
    for client in clients {
      client.kill()
      _ = try client.exit()
    }
    var faults: [String] = []
    let exit = try daemon.end()
    if exit != .status(0) { faults.append("the daemon has ended with \(exit): \(log("daemon"))") }
    let logs = (KilledHost.machineNames + KilledHost.clientNames + ["daemon"]).map { "\($0).log" }
    let files = try LinuxFile.list(folder.path).filter { !logs.contains($0) && !$0.hasSuffix(".lock") }
    if !files.isEmpty { faults.append("files are left: \(files.sorted().joined(separator: ", "))") }
    let processes = try LinuxFile.list("/proc").compactMap(Int32.init).filter { process in
      let words = (try? LinuxFile.read("/proc/\(process)/cmdline")) ?? []
      return String(decoding: words, as: UTF8.self).contains(folder.path)
    }
    if !processes.isEmpty { faults.append("processes are left: \(processes)") }
    return faults
  }
}
