import ArgumentParser
import CommandSupport
import GuestPrograms

/// The guest programs as a program of their own, small enough for an initramfs.
@main
struct FramepathGuestTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath-guest", abstract: GuestPrograms.configuration.abstract,
    version: ProgramVersion.text,
    subcommands: GuestPrograms.configuration.subcommands)
}
