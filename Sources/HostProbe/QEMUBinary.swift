import LinuxIO

/// Why a request to the tool failed.
public struct HostProbeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The fault and the remedy, for the user.
  public let description: String

  /// An error with its text.
  public init(_ description: String) { self.description = description }
}

/// A QEMU program on this host.
public enum QEMUBinary {
  /// The system emulator of this machine's architecture.
  public static var defaultName: String { "qemu-system-\(HostProcess.architecture)" }

  /// Queries the capabilities of a QEMU binary. Runs it three times; nothing is emulated.
  ///
  /// - Parameter binary: a path, or a name to search in PATH.
  public static func capabilities(_ binary: String) throws(HostProbeError) -> QEMUCapabilities {
    let versionText = try ask(binary, ["-version"])
    guard let version = QEMUVersion(versionOutput: versionText) else {
      let said = versionText.split(separator: "\n").first.map { " It says: \($0)" } ?? ""
      throw HostProbeError("\(binary) is not a QEMU system emulator.\(said)")
    }
    let deviceHelp = try ask(binary, ["-device", "help"])
    return QEMUCapabilities(version: version, deviceHelp: deviceHelp) { name in
      (try? ask(binary, ["-device", "\(name),help"])) ?? ""
    }
  }

  /// The system emulators in PATH and in /usr/libexec, each file once.
  public static func installed() -> [String] {
    let path = ChildCommand.inheritedEnvironment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    var found: [String] = []
    let directories = path.split(separator: ":").map { String($0) } + ["/usr/libexec"]
    for directory in directories {
      for name in (try? LinuxFile.list(directory)) ?? []
      where (name.hasPrefix("qemu-system-") && !name.hasSuffix("-microvm")) || name == "qemu-kvm" {
        let file = "\(directory)/\(name)"
        guard LinuxFile.isAccessible(file, .execute), LinuxFile.status(file)?.kind == .regular else { continue }
        // Skip links to an emulator that is listed already, such as Debian's qemu-system-amd64.
        if let target = LinuxFile.linkTarget(file), target.contains("qemu-system-") { continue }
        if !found.contains(where: { $0.hasSuffix("/\(name)") }) { found.append(file) }
      }
    }
    return found
  }

  private static func ask(_ binary: String, _ arguments: [String]) throws(HostProbeError) -> String {
    let result: ChildResult
    do throws(SystemError) {
      result = try ChildProcess.run(ChildCommand(binary, arguments), timeoutMilliseconds: 20_000)
    } catch {
      throw HostProbeError(explain(error, binary: binary))
    }
    // Help goes to standard output; old releases print a part of it to standard error.
    guard result.exit.isSuccess else {
      let words = result.error.split(separator: "\n").last.map { ": \($0)" } ?? ""
      throw HostProbeError("\(binary) \(arguments.joined(separator: " ")) ended with \(result.exit)\(words)")
    }
    return result.output.isEmpty ? result.error : result.output
  }

  private static func explain(_ error: SystemError, binary: String) -> String {
    let noSuchFile: Int32 = 2
    guard error.code == noSuchFile, error.call == "starting" else { return error.description }
    return """
      There is no \(binary). Install QEMU (Debian and Ubuntu: apt install qemu-system-x86; Fedora: dnf install \
      qemu-system-x86), or name the program with --qemu.
      """
  }
}
