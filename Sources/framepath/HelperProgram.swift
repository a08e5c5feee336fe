import Glibc
import LinuxIO

/// Programs that replace this one, as git runs its commands.
enum HelperProgram {
  /// The program's path: beside this one, in `../libexec`, or in `PATH`; nil if it is in none of them.
  static func path(
    _ name: String, thisProgram: String? = LinuxFile.linkTarget("/proc/self/exe"),
    searchPath: String = environmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
  ) -> String? {
    var folders: [String] = []
    if let thisProgram {
      let own = thisProgram.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
      folders = [own, "\(own)/../libexec"]
    }
    folders += searchPath.split(separator: ":").map(String.init)
    return folders.lazy.map { "\($0)/\(name)" }.first {
      LinuxFile.status($0)?.kind == .regular && LinuxFile.isAccessible($0, .execute)
    }
  }

  /// Replaces this process with the program, which keeps the terminal and sets the exit status. Returns only on error.
  ///
  /// The corresponding C function is `execv`.
  static func replaceThisProcess(with path: String, _ arguments: [String]) -> SystemError {
    var words = ([path] + arguments).map { strdup($0) }
    words.append(nil)
    execv(path, words)
    let error = SystemError(call: "execv", code: errno, subject: path)
    for word in words { free(word) }
    return error
  }
}
