import Foundation
import Testing

@testable import StatusModel

@Suite("Documentation of status, trace and metrics")
struct DocumentationTests {
  private static let docs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Docs")

  private func text(_ name: String) throws -> String {
    try String(contentsOf: Self.docs.appending(path: name), encoding: .utf8)
  }

  /// The key and type columns of the tables in a section, each table by the line before it.
  private func tables(_ section: String) throws -> [String: [String]] {
    let text = try text("Protocol.md")
    let start = try #require(text.range(of: "\n## \(section)\n"))
    let end = text.range(of: "\n## ", range: start.upperBound..<text.endIndex)?.lowerBound ?? text.endIndex
    var tables: [String: [String]] = [:]
    var (title, isTable) = ("", false)
    for line in text[start.upperBound..<end].split(separator: "\n", omittingEmptySubsequences: true) {
      if !line.hasPrefix("|") {
        (title, isTable) = (String(line), false)
      } else if isTable {
        let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(cells.count == 3 && !cells[2].isEmpty, "\(line)")
        tables[title, default: []].append(cells.prefix(2).joined(separator: " "))
      } else {
        isTable = line.hasPrefix("| ---")
      }
    }
    return tables
  }

  /// The fields of a value as the tables give them.
  private func fields(_ value: Any) -> [String] {
    Mirror(reflecting: value).children.map { "`\($0.label ?? "")` \(type($0.value))" }
  }

  private func type(_ value: Any) -> String {
    let mirror = Mirror(reflecting: value)
    if mirror.displayStyle == .optional, let wrapped = mirror.children.first { return type(wrapped.value) + "?" }
    switch value {
    case is any BinaryInteger: return "number"
    case is String: return "text"
    case is Bool: return "boolean"
    case is [UInt64]: return "numbers"
    case let spelled as any (CaseIterable & RawRepresentable): return spellings(Swift.type(of: spelled))
    default: return mirror.displayStyle == .collection ? "objects" : "object"
    }
  }

  private func spellings(_ type: any (CaseIterable & RawRepresentable).Type) -> String {
    type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }.map { "`\($0)`" }
      .joined(separator: ", ")
  }

  @Test func `the tables of Protocol.md have the fields of the status, in their order and with their types`() throws {
    let tables = try tables("Status")
    let status = try FullStatus.value()
    let output = status.outputs[0]
    for (title, value) in [
      ("The status:", status),
      ("`process`:", status.process), ("`seat`:", try #require(status.seat)), ("Each of `outputs`:", output),
      ("`lessee` of an output:", try #require(output.lessee)), ("Each of an output's `vms`:", output.vms[0]),
      ("Each of `vms`:", status.vms[0]), ("Each of a VM's `scanouts`:", status.vms[0].scanouts[0]),
    ] as [(String, Any)] { #expect(tables[title] == fields(value), "\(title)") }
    #expect(tables.count == 8)
  }

  @Test func `the tables of Protocol.md have the fields of a client's own status`() throws {
    let tables = try tables("Own status")
    let output = OwnStatus.Output(name: "a", width: 1, height: 1, refreshMillihertz: 1, connected: true)
    let status = OwnStatus(
      nowNanoseconds: 1, unixNanoseconds: 1, outputs: [output], vms: try FullStatus.value().vms)
    #expect(tables["The own status:"] == fields(status))
    #expect(tables["Each of its `outputs`:"] == fields(output))
    #expect(tables.count == 2)
  }

  @Test func `the tables of Protocol.md have the fields of the trace, in their order and with their types`() throws {
    let tables = try tables("Trace")
    let trace = try FullTrace.value()
    for (title, value) in [
      ("The trace:", trace),
      ("Each of `scanouts`:", trace.scanouts[0]), ("Each of `frames`:", trace.scanouts[0].frames[0]),
    ] as [(String, Any)] { #expect(tables[title] == fields(value), "\(title)") }
    #expect(tables.count == 3)
  }

  @Test func `the bounds of the latch buckets are those of Protocol.md`() throws {
    let bounds = DaemonStatus.Scanout.latchBoundsNanoseconds.map { nanoseconds in
      String(Double(nanoseconds) / 1e6).replacingOccurrences(of: ".0", with: "")
    }
    let words = bounds.dropLast().joined(separator: ", ") + " and " + (bounds.last ?? "") + " ms"
    #expect(try text("Protocol.md").contains("| `latchBuckets` | numbers | for each of \(words)"))
  }

  @Test func `the table of Metrics.md is the table of families`() throws {
    let lines = try text("Metrics.md").split(separator: "\n").map(String.init)
    let table = lines.filter { $0.hasPrefix("| ") }
    #expect(table == OpenMetrics.documentation, "\(OpenMetrics.documentation.joined(separator: "\n"))")
  }
}
