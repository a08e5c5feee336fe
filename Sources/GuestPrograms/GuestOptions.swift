public import ArgumentParser
public import FramepathGuest
import LinuxIO

/// The guest programs' options for their region.
public struct GuestOptions: ParsableArguments {
  @Option(name: .long, help: "The ivshmem device of this machine; 0 is the first.")
  var device: Int?

  @Option(name: .long, help: "The socket of framepath-ivshmem, in a container or on the host.")
  var socket: String?

  @Option(
    name: .long, help: "framepathd's socket, for this program's own region. Default: $FRAMEPATH_SOCKET, if set.")
  var daemon: String?

  @Option(name: .long, help: "This program's client name. Default: guest-PID.")
  var name: String?

  @Option(name: .long, help: "A file with the region's memory; it is polled.")
  var file: String?

  /// The defaults.
  public init() {}

  /// Checks the combination of options.
  public func validate() throws {
    guard [device != nil, socket != nil, daemon != nil, file != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("Give at most one of --device, --socket, --daemon and --file.")
    }
  }

  /// The location of the region.
  public var place: RegionPlace {
    if let socket { return .socket(socket) }
    if let file { return .file(file) }
    if device == nil, let path = daemon ?? environmentVariable("FRAMEPATH_SOCKET") {
      return .daemon(path, name: name ?? "guest-\(currentProcessID())")
    }
    return .device(device ?? 0)
  }
}

/// Programs for the inside of a virtual machine or a container.
public struct GuestPrograms: ParsableCommand {
  /// The command's name and subcommands.
  public static let configuration = CommandConfiguration(
    commandName: "guest",
    abstract: "Draws into a region, from inside a virtual machine or a container.",
    subcommands: [PatternProgram.self, MirrorProgram.self])

  /// For the parser.
  public init() {}
}
