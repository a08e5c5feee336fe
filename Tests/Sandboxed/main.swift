// A process that applies a policy to itself and then does one thing: `test-sandbox POLICY ACTION [files-only]`.
// Status 0 if that was allowed, 9 if it failed.
// `test-sandbox launch ACTION SOCKET [served|serving]` is a launcher, whose worker does it: at once, or when it has a
// client, or when it has stopped its launcher and then said that it has clients.
import Glibc
import LinuxIO
import Sandbox

let arguments = CommandLine.arguments
guard arguments.count >= 3, let action = Action(rawValue: arguments[2]) else { exit(64) }

/// The launcher, or its worker.
func launch(socket: String, isServed: Bool) throws -> Int32 {
  guard arguments[arguments.count - 2] == "--worker", let launcher = Int32(arguments[arguments.count - 1]) else {
    let plan = Launcher.Plan(daemonPath: "\(socket).daemon", frontend: .path(socket, mode: 0o600))
    return try Launcher(plan) { writeErrorLine($0) }.run()
  }
  let link = try WorkerLink(launcher: launcher)
  let stage = try Stage()
  let isServing = arguments.contains("serving")
  if isServing { kill(launcher, SIGSTOP) }
  _ = try link.enter(.worker)
  try link.requestFrontend()
  if isServing { try link.isServing() }
  if isServed { _ = try link.takeFrontend(waits: true) }
  return stage.run(action) ? 0 : 9
}

let policy: SandboxPolicy
switch arguments[1] {
case "launch": exit(try launch(socket: arguments[3], isServed: arguments.contains("served")))
case "worker": policy = .worker
case "server": policy = .server
case "daemon": policy = .daemon(directories: ["/nowhere"], hasCards: false, hasSeat: false)
case "card-daemon": policy = .daemon(directories: ["/nowhere"], hasCards: true, hasSeat: false)
case "seat-daemon": policy = .daemon(directories: ["/nowhere"], hasCards: true, hasSeat: true)
default: exit(64)
}
let stage = try Stage()
_ = try Sandbox.giveUpRights(policy)
if arguments.count < 4 || arguments[3] != "files-only" {
  try Sandbox.filterCalls(policy, reportTo: 2, prefix: "the sandbox does not allow the")
}
exit(stage.run(action) ? 0 : 9)
