import ArgumentParser
import LinuxIO
import Sandbox

/// The program is two processes: the launcher, which managers start and end, and the worker, which serves QEMU.
extension Backend {
  /// Runs the worker to its end.
  ///
  /// - Parameter arguments: for the worker, besides those of this process.
  func launch(_ log: Log, adding arguments: [String]) throws {
    let frontend = Launcher.Frontend(path: socketPath, descriptor: fd)
    var plan = Launcher.Plan(daemonPath: daemon, frontend: frontend)
    plan.workerArguments = arguments
    let launcher = try Launcher(plan) { log.write($0) }
    if sandbox == .off {
      log.warning("--sandbox off: what the guest says is parsed with all rights of this user")
    }
    let status = try launcher.run()
    if status != 0 { throw ExitCode(status) }
  }

  /// The worker's side of its launcher, in the sandbox unless that is off.
  func enterSandbox(_ launcher: Int32, _ log: Log) throws -> WorkerLink {
    let link = try WorkerLink(launcher: launcher)
    guard sandbox == .on else { return link }
    do throws(SandboxError) {
      if let shortcoming = try link.enter(.worker) { log.warning(shortcoming) }
    } catch {
      log.error(error.description)
      throw ExitCode.failure
    }
    return link
  }
}
