import DaemonSettings
import LinuxIO
import PresentProtocol

/// A rejected configuration file: the file, the line and the reason.
struct ConfigurationError: Error, CustomStringConvertible {
  var description: String
}

/// The daemon's configuration file, read by a separate program.
///
/// `framepathd-config` contains the TOML parser with its libraries and memory. It writes the settings as records into
/// a memfd and ends. The daemon's assistant runs it: the daemon itself starts no programs.
struct ConfigurationFile {
  let path: String
  private let reader: String

  /// - Parameter reader: the program that reads the file; nil searches beside this one and in `../libexec`.
  init(_ path: String, reader: String? = nil) throws {
    self.path = path
    self.reader = try reader ?? ConfigurationFile.findReader()
  }

  /// Reads the file and waits for its records, for at most ten seconds.
  func readRecords() throws -> SharedFD {
    let records = SharedFD(try MemFD.create(name: "framepath-configuration", byteCount: ConfigurationFile.mostBytes))
    var command = ChildCommand(reader, [path])
    command.output = .descriptor(records.raw)
    let child = try ChildProcess(command)
    guard let exit = child.waitForExit(timeoutMilliseconds: 10_000) else {
      throw ConfigurationError(description: "\(path) was not read within 10 s")
    }
    guard exit.isSuccess else {
      let words = child.text(.error).split(separator: "\n").first.map(String.init)
      throw ConfigurationError(description: words ?? "\(reader) \(path): \(exit)")
    }
    return records
  }

  /// Reads the file and waits for its settings.
  func read() throws -> [SettingChange] { try ConfigurationFile.changes(of: readRecords(), reader: reader) }

  /// The settings in a reader's records.
  static func changes(of records: SharedFD, reader: String) throws -> [SettingChange] {
    let mapping = try Mapping(fd: records.raw, byteCount: ConfigurationFile.mostBytes, writable: false)
    let bytes = mapping.bytes
    var count = 0
    for index in (0..<ConfigurationFile.countByteCount).reversed() { count = count << 8 | Int(bytes[index]) }
    guard (0...PresentLimits.settingCount).contains(count) else {
      throw ConfigurationError(description: "\(reader) wrote an invalid number of settings records: \(count)")
    }
    let end = ConfigurationFile.countByteCount + count * SettingRecords.byteCount
    return try SettingChange.changes(SettingRecords.decode(Array(bytes[ConfigurationFile.countByteCount..<end])))
  }

  /// Size of the record count in front of the records.
  private static let countByteCount = 4
  private static let mostBytes = countByteCount + PresentLimits.settingCount * SettingRecords.byteCount

  private static func findReader() throws -> String {
    let name = "framepathd-config"
    let own = LinuxFile.linkTarget("/proc/self/exe") ?? ""
    let folder = own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let places = ["\(folder)/\(name)", "\(folder)/../libexec/\(name)"]
    guard let found = places.first(where: { LinuxFile.isAccessible($0, .execute) }) else {
      throw ConfigurationError(
        description: "\(name) reads the configuration file, but is not at \(places.joined(separator: " or "))")
    }
    return found
  }
}
