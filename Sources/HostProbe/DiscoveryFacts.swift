import FoundationEssentials
import LinuxIO

/// The discovery files by which libvirt finds vhost-user backends (QEMU's docs/interop/vhost-user.json).
public struct DiscoveryFacts: Equatable, Sendable {
  /// The searched directories, most specific first.
  public var directories: [String]
  /// Our file; nil if no file names our backend.
  public var file: String?
  /// The fault of our file; nil without one.
  public var fault: String?
  /// Other files that libvirt cannot read, each with the reason.
  public var brokenFiles: [String]

  /// Our backend's name.
  public static let backendName = "framepath-vhost-user-gpu"

  /// The facts.
  public init(directories: [String], file: String?, fault: String?, brokenFiles: [String]) {
    self.directories = directories
    self.file = file
    self.fault = fault
    self.brokenFiles = brokenFiles
  }

  private struct Entry: Decodable {
    var description: String
    var type: String
    var binary: String
  }

  private struct Capabilities: Decodable {
    var type: String
    var features: [String]?
  }

  /// The directories in QEMU's order of precedence.
  ///
  /// - Parameter environment: HOME and XDG_CONFIG_HOME are used.
  public static func directories(environment: [String: String]) -> [String] {
    let configuration = environment["XDG_CONFIG_HOME"] ?? environment["HOME"].map { "\($0)/.config" }
    let own = configuration.map { ["\($0)/qemu/vhost-user"] } ?? []
    return own + ["/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user"]
  }

  /// Reads all files of the directories and runs our backend for its capabilities.
  public static func gather(directories: [String]) -> DiscoveryFacts {
    var facts = DiscoveryFacts(directories: directories, file: nil, fault: nil, brokenFiles: [])
    var names: Set<String> = []
    for directory in directories {
      for name in (try? LinuxFile.list(directory)) ?? [] where name.hasSuffix(".json") {
        // A file hides those of the same name in less specific directories; an empty one does only that.
        guard names.insert(name).inserted else { continue }
        let path = "\(directory)/\(name)"
        guard let bytes = try? LinuxFile.read(path), !bytes.isEmpty else { continue }
        facts.take(path: path, bytes: bytes)
      }
    }
    return facts
  }

  private mutating func take(path: String, bytes: [UInt8]) {
    let isOurs = path.contains("framepath")
    guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(bytes)) else {
      let fault = "not a JSON object with description, type and binary"
      if isOurs && file == nil {
        file = path
        self.fault = fault
      } else {
        brokenFiles.append("\(path) (\(fault))")
      }
      return
    }
    guard file == nil, isOurs || entry.binary.hasSuffix("/\(DiscoveryFacts.backendName)") else { return }
    file = path
    fault = DiscoveryFacts.fault(type: entry.type, binary: entry.binary)
  }

  private static func fault(type: String, binary: String) -> String? {
    guard type == "gpu" else { return "its type is \"\(type)\", not \"gpu\"" }
    guard binary.hasPrefix("/") else { return "its binary \(binary) is not an absolute path" }
    guard LinuxFile.isAccessible(binary, .execute) else { return "its binary \(binary) is missing or not executable" }
    guard let result = try? ChildProcess.run(ChildCommand(binary, ["--print-capabilities"])), result.exit.isSuccess,
      let said = try? JSONDecoder().decode(Capabilities.self, from: Data(result.output.utf8)), said.type == "gpu"
    else { return "\(binary) --print-capabilities does not answer with a gpu's JSON" }
    return nil
  }

  /// The findings.
  public var findings: [Finding] {
    var findings: [Finding] = []
    switch (file, fault) {
    case (nil, _):
      findings.append(
        Finding(
          .note, "discovery file", "none of ours in \(directories.joined(separator: ", ")): libvirt will not find it",
          advice: "Only libvirt needs it: install 50-framepath-gpu.json into /usr/share/qemu/vhost-user."))
    case (let file?, let fault?):
      findings.append(
        Finding(.problem, "discovery file", "\(file): \(fault)", advice: "Install the package again, or correct it."))
    case (let file?, nil): findings.append(Finding(.ok, "discovery file", "\(file) is valid"))
    }
    for broken in brokenFiles {
      findings.append(
        Finding(.note, "discovery file", "\(broken)", advice: "A broken file can keep libvirt from all backends."))
    }
    return findings
  }
}
