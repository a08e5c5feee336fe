import DaemonSettings
import Foundation
import LinuxIO
import Testing

@testable import framepathd

@Suite("--config")
struct ConfigurationFileTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/framepathd.toml" }

  init() throws { folder = try TemporaryFolder() }

  /// The program is built beside the tests.
  private var reader: String {
    Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }.map {
      "\(URL(filePath: $0.bundlePath).deletingLastPathComponent().path())/framepathd-config"
    } ?? ".build/debug/framepathd-config"
  }

  private func file(_ text: String, _ loop: EventLoop) throws -> ConfigurationFile {
    try LinuxFile.replace(path, with: Array(text.utf8))
    return try ConfigurationFile(path, reader: reader, loop: loop)
  }

  @Test func `the settings of a file are read by framepathd-config`() throws {
    let file = try file("[vm.web]\nweight = 200\noutputs = [\"a\", \"b\"]\n", EventLoop())
    #expect(
      try file.read() == [
        SettingChange(.vm("web"), 201, .whole(200), line: 2),
        SettingChange(.vm("web"), 206, .names(["a", "b"]), line: 3),
      ])
    try LinuxFile.replace(path, with: [])
    #expect(try file.read().isEmpty)
  }

  @Test func `faults are reported with the file and the line`() throws {
    let file = try file("[vm.web]\nweight = 0\n", EventLoop())
    let error = #expect(throws: ConfigurationError.self) { try file.read() }
    #expect(error?.description == "\(path):2: weight is a whole number from 1 to 10000, not 0")
    try LinuxFile.replace(path, with: [0xff])
    #expect(throws: ConfigurationError.self) { try file.read() }
    let missing = try ConfigurationFile("\(folder.path)/none", reader: reader, loop: EventLoop())
    #expect(throws: ConfigurationError.self) { try missing.read() }
  }

  /// The parser has assertions where it should have errors.
  @Test(arguments: [
    ("[&]", 1), ("\n\n[ä]\n\n", 3), ("[outputs]\npolicy = \"fifo\"\n[[[outputs]]]\n[vm.web]\nweight = 2\n", 3),
    ("[vm.web]\noutputs = [\n  \"DP-1\",\n  }\n]\nweight = 2\n", 4),
  ])
  func `a fault on which the parser ends the program is reported with its line`(text: String, line: Int) throws {
    let file = try file(text, EventLoop())
    let error = #expect(throws: ConfigurationError.self) { try file.read() }
    #expect(
      error?.description
        == "\(path):\(line): this is not valid TOML; see toml.io for how tables, keys and values are written")
  }

  @Test func `a file is reloaded while the loop runs, and the last request counts`() throws {
    let loop = try EventLoop()
    let file = try file("[vm.web]\nweight = 200\n", loop)
    var results: [Result<[SettingChange], any Error>] = []
    for _ in 0..<2 { file.reload { results.append($0) } }
    while results.isEmpty { try loop.runOnce(timeoutMilliseconds: 10_000) }
    #expect(results.count == 1)
    #expect(try results[0].get() == [SettingChange(.vm("web"), 201, .whole(200), line: 2)])
  }

  @Test func `a missing reader is named`() throws {
    let file = try ConfigurationFile(path, reader: "\(folder.path)/none", loop: EventLoop())
    #expect(throws: (any Error).self) { try file.read() }
  }
}
