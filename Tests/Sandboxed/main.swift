// A process that applies a policy to itself and then does one thing: `test-sandbox POLICY ACTION`. Status 0 if that
// was allowed, 9 if it failed.
import Glibc
import LinuxIO
import Sandbox

let arguments = CommandLine.arguments
guard arguments.count >= 3, let action = Action(rawValue: arguments[2]) else { exit(64) }
let policy: SandboxPolicy
switch arguments[1] {
case "worker": policy = .worker
case "server": policy = .server
default: exit(64)
}
let stage = try Stage()
_ = try Sandbox.giveUpRights(policy)
if arguments.count < 4 || arguments[3] != "files-only" {
  try Sandbox.filterCalls(policy, reportTo: 2, prefix: "the sandbox does not allow the")
}
exit(stage.run(action) ? 0 : 9)
