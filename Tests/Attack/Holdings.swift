import LinuxIO

/// What a process holds.
struct Holdings: Codable {
  /// Open descriptors.
  var descriptors: Int
  /// Lines of /proc/PID/maps.
  var mappings: Int
  /// VmRSS, bytes.
  var residentBytes: Int

  /// Growth that is no leak: stack and arena of each of the 9 threads that close descriptors, which start when there is
  /// something to close and are kept; and what the allocator keeps.
  static let mappingSlack = 9 * 4
  static let residentSlackBytes = 32 << 20

  init(pid: Int32) throws {
    descriptors = try LinuxFile.list("/proc/\(pid)/fd").count
    mappings = try LinuxFile.read("/proc/\(pid)/maps", limit: 1 << 26).count { $0 == UInt8(ascii: "\n") }
    residentBytes = Holdings.kibibytes("VmRSS", of: pid) << 10
  }

  /// What is more than before; empty if nothing is.
  func growth(since before: Holdings) -> [String] {
    var growth: [String] = []
    if descriptors > before.descriptors { growth.append("\(descriptors - before.descriptors) descriptors more") }
    if mappings > before.mappings + Holdings.mappingSlack {
      growth.append("\(mappings - before.mappings) mappings more")
    }
    let bytes = residentBytes - before.residentBytes
    if bytes > Holdings.residentSlackBytes { growth.append("\(bytes >> 20) MiB more") }
    return growth
  }

  /// Waits until a process is back at what it held before, 5 s at most.
  static func settled(pid: Int32, since before: Holdings) throws -> Holdings {
    let deadline = monotonicNanoseconds() + 5_000_000_000
    while true {
      let now = try Holdings(pid: pid)
      if now.growth(since: before).isEmpty || monotonicNanoseconds() >= deadline { return now }
      HostProcess.sleep(milliseconds: 20)
    }
  }

  private static func kibibytes(_ key: String, of pid: Int32) -> Int {
    for line in (LinuxFile.text("/proc/\(pid)/status") ?? "").split(separator: "\n") where line.hasPrefix("\(key):") {
      return Int(line.filter(\.isNumber)) ?? 0
    }
    return 0
  }
}
