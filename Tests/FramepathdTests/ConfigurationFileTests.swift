import DaemonSettings
import LinuxIO
import PresentServer
import TestSupport
import Testing

@testable import framepathd

@Suite("--config")
struct ConfigurationFileTests {
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/framepathd.toml" }

  init() throws { folder = try TemporaryFolder() }

  /// The program is built beside the tests.
  private var reader: String { Programs.path("framepathd-config") }

  private func file(_ text: String) throws -> ConfigurationFile {
    try LinuxFile.replace(path, with: Array(text.utf8))
    return try ConfigurationFile(path, reader: reader)
  }

  @Test func `the settings of a file are read by framepathd-config`() throws {
    let file = try file("[vm.web]\nweight = 200\noutputs = [\"a\", \"b\"]\n")
    #expect(
      try file.read() == [
        SettingChange(.vm("web"), 201, .whole(200), line: 2),
        SettingChange(.vm("web"), 206, .names(["a", "b"]), line: 3),
      ])
    try LinuxFile.replace(path, with: [])
    #expect(try file.read().isEmpty)
  }

  @Test func `faults are reported with the file and the line`() throws {
    let file = try file("[vm.web]\nweight = 0\n")
    let error = #expect(throws: ConfigurationError.self) { try file.read() }
    #expect(error?.description == "\(path):2: weight is a whole number from 1 to 10000, not 0")
    try LinuxFile.replace(path, with: [0xff])
    #expect(throws: ConfigurationError.self) { try file.read() }
    let missing = try ConfigurationFile("\(folder.path)/none", reader: reader)
    #expect(throws: ConfigurationError.self) { try missing.read() }
  }

  /// The parser has assertions where it should have errors.
  @Test(arguments: [
    ("[&]", 1), ("\n\n[ä]\n\n", 3), ("[outputs]\npolicy = \"fifo\"\n[[[outputs]]]\n[vm.web]\nweight = 2\n", 3),
    ("[vm.web]\noutputs = [\n  \"DP-1\",\n  }\n]\nweight = 2\n", 4),
  ])
  func `a fault on which the parser ends the program is reported with its line`(text: String, line: Int) throws {
    let file = try file(text)
    let error = #expect(throws: ConfigurationError.self) { try file.read() }
    #expect(
      error?.description
        == "\(path):\(line): this is not valid TOML; see toml.io for how tables, keys and values are written")
  }

  @Test func `a missing reader is named`() throws {
    let file = try ConfigurationFile(path, reader: "\(folder.path)/none")
    #expect(throws: (any Error).self) { try file.read() }
  }

  @Test func `the assistant's requests are read as they were written, and others are refused`() {
    let frames = SocketAccess(mode: 0o660, groupID: 64055)
    let requests: [AssistantRequest] = [
      .paths(["/run/a", "/run/b"]), .configuration(serial: 7),
      .access(serial: 255, frames: frames, control: SocketAccess()),
    ]
    for request in requests { #expect(AssistantRequest(request.bytes[...]) == request) }
    #expect(requests[1].bytes == [0x63, 7])
    #expect(
      requests[2].bytes == [0x61, 255, 0xB0, 1, 0, 0, 0x37, 0xFA, 0, 0, 0x80, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    var wide = requests[2].bytes
    wide[3] = 4
    for bytes in [[], [0x61], [0x63], [0x63, 1, 2], [0x70], [0x71, 1], wide] {
      #expect(AssistantRequest(bytes[...]) == nil, "\(bytes)")
    }
  }
}
