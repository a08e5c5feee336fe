import Foundation
import ServerSupport
import Testing

/// The folders of PresentServer's sources, its rooms. The compiler does not see their edges, so a test does.
struct RoomTests {
  /// From the bottom up: a room may use itself and those before it. All other files come after these.
  private static let rooms = ["Clock", "Memory", "Engine"]

  private let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../Sources/PresentServer").standardizedFileURL

  /// The room of each source file, and its text without comments and literals.
  private func files() throws -> [(path: String, room: Int, text: String)] {
    let all = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
    return try all.filter { $0.hasSuffix(".swift") }.map { path in
      let room = Self.rooms.firstIndex { path.hasPrefix($0 + "/") } ?? Self.rooms.count
      let text = try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8)
        .replacing(/\/\/.*/, with: "").replacing(/"[^"\n]*"/, with: "\"\"")
      return (path, room, text)
    }
  }

  @Test func `the engine of an output uses no type of clients, regions, settings or reports`() throws {
    let files = try files()
    var rooms: [Substring: Int] = [:]
    for file in files {
      let declarations = /(?m)^\s*(?:public |final |indirect )*(?:class|struct|enum|protocol|typealias) (\w+)/
      for match in file.text.matches(of: declarations) {
        rooms[match.output.1] = min(rooms[match.output.1] ?? .max, file.room)
      }
    }
    #expect(rooms["MemoryBroker"] == 1 && rooms["Presenter"] == 2 && rooms["ClientSession"] == 3)
    for file in files {
      for match in file.text.matches(of: /\b[A-Z]\w+/) {
        let name = match.output
        #expect(rooms[name, default: 0] <= file.room, "\(file.path) uses \(name)")
      }
    }
  }
}
