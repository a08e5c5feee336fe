import ArgumentParser
import CommandSupport
import GuestPrograms

/// The tool: one file per subcommand.
@main
struct Framepath: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath",
    abstract: "Inspects and controls the screens of virtual machines on this host's monitors.",
    discussion: """
      Examples:
        framepath doctor
        framepath status
        framepath top
        framepath snapshot --vm web -o web.png
        qemu-system-x86_64 -drive file=web.qcow2 \\
          $(framepath qemu-args --vm web --memory 2G)

      Exit status: 0 on success, 1 on failure (doctor: when it found a problem), 64 for an invalid command line.
      """,
    version: ProgramVersion.text,
    subcommands: [
      StatusCommand.self, TopCommand.self, TraceCommand.self, SnapshotCommand.self, QEMUArgsCommand.self,
      DoctorCommand.self, GuestPrograms.self,
      BenchCommand.self, PolicyCommand.self, LayoutCommand.self, FocusCommand.self, ExclusiveCommand.self,
      LeaseCommand.self, PowerCommand.self, MemoryCommand.self, LimitsCommand.self, VMCommand.self,
      SettingsCommand.self,
    ])
}
