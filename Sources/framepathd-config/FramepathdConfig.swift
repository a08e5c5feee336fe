import CommandSupport
import DaemonSettings
import Glibc
import LinuxIO
import PresentProtocol
import SettingsFile

/// Reads the configuration file for framepathd, which runs this program to keep the TOML parser, its libraries and
/// its memory out of the daemon.
///
/// Writes the number of records (32 bits, little-endian) and the settings as records (Docs/Protocol.md, SETTINGS) to
/// standard output, or one line with the file, the line and the reason to standard error.
@main
enum FramepathdConfig {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments == ["--version"] {
      print(ProgramVersion.text)
      return
    }
    guard var search = AssertionSearch(arguments) else {
      writeErrorLine("usage: framepathd-config FILE >RECORDS; framepathd --config FILE runs it")
      exit(64)
    }
    do {
      try write(read(&search))
    } catch let error as SettingsError {
      writeErrorLine("\(search.path):\(error.line.map { "\($0):" } ?? "") \(error.reason)")
      exit(1)
    } catch {
      writeErrorLine("\(error)")
      exit(1)
    }
  }

  private static func read(_ search: inout AssertionSearch) throws -> [SettingRecord] {
    guard let text = String(validating: try LinuxFile.read(search.path), as: UTF8.self) else {
      throw SettingsError("the file is not UTF-8 text")
    }
    if let line = search.badLine(of: text, { _ = try? SettingsFile.changes($0) }) {
      throw SettingsError(line, "this is not valid TOML; see toml.io for how tables, keys and values are written")
    }
    search.watch(text)
    let records = try SettingsFile.changes(text).flatMap(\.records)
    guard records.count <= PresentLimits.settingCount else {
      throw SettingsError("\(records.count) settings and list items; the limit is \(PresentLimits.settingCount)")
    }
    return records
  }

  private static func write(_ records: [SettingRecord]) throws {
    let count = (0..<4).map { UInt8(truncatingIfNeeded: records.count >> ($0 * 8)) }
    try LinuxFile.writeToStandardOutput(count + SettingRecords.encode(records))
  }
}
