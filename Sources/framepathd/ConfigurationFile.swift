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
/// a memfd and ends; the daemon's loop keeps running meanwhile.
final class ConfigurationFile {
  let path: String
  private let reader: String
  private let loop: EventLoop
  private var child: ChildProcess?
  private var source: EventLoop.Source?
  private var records: SharedFD?

  /// - Parameter reader: the program that reads the file; nil searches beside this one and in `../libexec`.
  init(_ path: String, reader: String? = nil, loop: EventLoop) throws {
    self.path = path
    self.loop = loop
    self.reader = try reader ?? ConfigurationFile.findReader()
  }

  deinit { cancel() }

  /// Reads the file and waits for the result, for at most ten seconds.
  func read() throws -> [SettingChange] {
    let child = try start()
    guard child.waitForExit(timeoutMilliseconds: 10_000) != nil else {
      cancel()
      throw ConfigurationError(description: "\(path) was not read within 10 s")
    }
    return try finish()
  }

  /// Starts reading the file without blocking the loop; cancels a read that is still in progress.
  ///
  /// - Parameter body: called from the loop with the settings or the error.
  func reload(_ body: @escaping (Result<[SettingChange], any Error>) -> Void) {
    do {
      let child = try start()
      source = try loop.add(child.pidFD) { [unowned self] _ in
        guard child.waitForExit(timeoutMilliseconds: 0) != nil else { return }
        body(Result { try finish() })
      }
    } catch {
      cancel()
      body(.failure(error))
    }
  }

  private func start() throws -> ChildProcess {
    cancel()
    let file = SharedFD(try MemFD.create(name: "framepath-configuration", byteCount: ConfigurationFile.mostBytes))
    var command = ChildCommand(reader, [path])
    command.output = .descriptor(file.raw)
    let child = try ChildProcess(command)
    (self.child, records) = (child, file)
    return child
  }

  private func cancel() {
    if let source = source.take() { loop.remove(source) }
    child = nil
    records = nil
  }

  /// The settings of a reader that has ended.
  private func finish() throws -> [SettingChange] {
    defer { cancel() }
    guard let child, let exit = child.exit, let records else { return [] }
    guard exit.isSuccess else {
      let words = child.text(.error).split(separator: "\n").first.map(String.init)
      throw ConfigurationError(description: words ?? "\(reader) \(path): \(exit)")
    }
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
