import Glibc
import LinuxIO
import Testing

@Suite("A service's log")
struct ErrorLogTests {
  @Test func `a log without a reader drops lines and counts them, and continues later`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let reader = OwnedFD(taking: ends[0])
    let writer = OwnedFD(taking: ends[1])
    let log = ErrorLog("test: ", fd: writer.raw)
    // Far more than the 64 KiB of a pipe.
    for number in 0..<10_000 { log.write("line \(number)") }

    try reader.setNonblocking()
    let kept = readAll(reader.raw).split(separator: "\n")
    #expect(kept.first == "test: line 0")
    #expect(kept.indices.allSatisfy { kept[$0] == "test: line \($0)" })
    log.write("the end")
    #expect(readAll(reader.raw) == "test: \(10_000 - kept.count) log lines dropped (reader too slow)\ntest: the end\n")
  }

  @Test func `a line longer than a pipe takes whole is cut`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let reader = OwnedFD(taking: ends[0])
    let writer = OwnedFD(taking: ends[1])
    ErrorLog("", fd: writer.raw).write(String(repeating: "x", count: 100_000))
    try reader.setNonblocking()
    #expect(readAll(reader.raw) == String(repeating: "x", count: ErrorLog.lineByteCount - 1) + "\n")
  }

  @Test func `a line cannot control a terminal, reorder text or begin another line`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let reader = OwnedFD(taking: ends[0])
    let writer = OwnedFD(taking: ends[1])
    ErrorLog("test: ", fd: writer.raw).write("a\u{1b}[2J\u{9b}2J\nb\u{202e}c\u{2028}d\u{2029}e\u{7f}é")
    try reader.setNonblocking()
    let text = #"test: a\u{1B}[2J\u{9B}2J\u{A}b\u{202E}c\u{2028}d\u{2029}e\u{7F}é"#
    #expect(readAll(reader.raw) == text + "\n")
  }

  private func readAll(_ fd: Int32) -> String {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(fd, &part, part.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += part[..<count]
    }
  }
}
