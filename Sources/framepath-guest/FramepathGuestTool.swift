import ArgumentParser
import GuestPrograms

/// The guest programs as a program of their own, small enough for an initramfs.
@main
struct FramepathGuestTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "framepath-guest", abstract: GuestPrograms.configuration.abstract,
    subcommands: GuestPrograms.configuration.subcommands)
}
