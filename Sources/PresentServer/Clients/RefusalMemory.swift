import LinuxIO

/// Recently refused clients, so that a client that keeps retrying is logged once per reason.
///
/// Bounded: a new entry replaces the oldest.
struct RefusalMemory {
  private static let capacity = 64

  private struct Entry {
    let pid: Int32
    let name: String
    var reason: String
  }

  private var entries: [Entry] = []

  /// Records a refusal; false if this process was refused under this name for the same reason before.
  mutating func note(pid: Int32, name: String, reason: String) -> Bool {
    if let known = entries.firstIndex(where: { $0.pid == pid && $0.name == name }) {
      if entries[known].reason == reason { return false }
      entries[known].reason = reason
      return true
    }
    if entries.count == RefusalMemory.capacity { entries.removeFirst() }
    entries.append(Entry(pid: pid, name: name, reason: reason))
    return true
  }

  /// Forgets a client that was accepted.
  mutating func forget(pid: Int32, name: String) {
    if !entries.isEmpty { entries.removeAll { $0.pid == pid && $0.name == name } }
  }
}
