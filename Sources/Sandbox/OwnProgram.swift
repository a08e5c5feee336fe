public import LinuxIO

/// This process's program, started again in another role.
public enum OwnProgram {
  /// The program with its arguments and further ones. The command's descriptors and streams are still to be chosen.
  ///
  /// The arguments are those that the kernel knows: also of a program that a dynamic linker was asked to run.
  public static func command(adding more: [String]) throws(SystemError) -> ChildCommand {
    let words = try LinuxFile.read("/proc/self/cmdline").split(separator: 0, omittingEmptySubsequences: false)
      .dropLast().map { String(decoding: $0, as: UTF8.self) }
    // The link's target has the program's name, which a process list shows; the link itself also works after an upgrade
    // has replaced the file.
    let target = LinuxFile.linkTarget("/proc/self/exe") ?? ""
    let program = LinuxFile.isAccessible(target, .execute) ? target : "/proc/self/exe"
    var command = ChildCommand(program, Array(words.dropFirst()) + more)
    command.output = .inherit
    command.error = .inherit
    return command
  }
}
