import LinuxIO
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DescriptorTableTests {
  /// A number in the daemon's /proc/PID/NAME, in the line that begins with a word.
  private func number(_ file: String, _ key: String, of pid: Int32) throws -> Int {
    let text = try #require(LinuxFile.text("/proc/\(pid)/\(file)"))
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(key) })
    return try #require(line.dropFirst(key.count).split { !$0.isNumber }.first.flatMap { Int($0) })
  }

  @Test func `the daemon's table of descriptors never grows while it shows frames`() throws {
    let daemon = try TestDaemon()
    let limit = try number("limits", "Max open files", of: daemon.program.pid)
    #expect(try number("status", "FDSize:", of: daemon.program.pid) >= min(limit, 65_536))
  }
}
