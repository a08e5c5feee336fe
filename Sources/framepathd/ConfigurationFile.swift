import DaemonSettings
import LinuxIO
import PresentProtocol

/// Why a configuration file is refused: the file, the line and the reason.
struct ConfigurationError: Error, CustomStringConvertible {
  var description: String
}

/// The daemon's configuration file, read by a program of its own.
///
/// `framepathd-config` has the TOML parser, and the libraries and memory that come with it; it writes the settings as
/// records into a memfd, and ends. Meanwhile the daemon's loop goes on.
final class ConfigurationFile {
  let path: String
  private let reader: String
  private let loop: EventLoop
  private var child: ChildProcess?
  private var source: EventLoop.Source?
  private var records: SharedFD?

  /// - Parameter reader: the program that reads the file; nil looks for it beside this one.
  init(_ path: String, reader: String? = nil, loop: EventLoop) throws {
    self.path = path
    self.loop = loop
    self.reader = try reader ?? ConfigurationFile.findReader()
  }

  deinit { cancel() }

  /// Reads the file and waits for the result, ten seconds at most.
  func read() throws -> [SettingChange] {
    let child = try start()
    guard child.waitForExit(timeoutMilliseconds: 10_000) != nil else {
      cancel()
      throw ConfigurationError(description: "\(path) was not read within 10 s")
    }
    return try finish()
  }

  /// Reads the file while the loop goes on, in place of a read that is still under way.
  ///
  /// - Parameter body: called from the loop with the settings, or why there are none.
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
      throw ConfigurationError(description: "\(reader) gave \(count) records of settings")
    }
    let end = ConfigurationFile.countByteCount + count * SettingRecords.byteCount
    return try SettingChange.changes(SettingRecords.decode(Array(bytes[ConfigurationFile.countByteCount..<end])))
  }

  /// Bytes of the number of records, which stands before them.
  private static let countByteCount = 4
  private static let mostBytes = countByteCount + PresentLimits.settingCount * SettingRecords.byteCount

  private static func findReader() throws -> String {
    let name = "framepathd-config"
    let own = LinuxFile.linkTarget("/proc/self/exe") ?? ""
    let folder = own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let places = ["\(folder)/\(name)", "\(folder)/../libexec/\(name)"]
    guard let found = places.first(where: { LinuxFile.isAccessible($0, .execute) }) else {
      throw ConfigurationError(
        description: "\(name), which reads the configuration file, is in none of: \(places.joined(separator: ", "))")
    }
    return found
  }
}
