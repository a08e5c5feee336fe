import Foundation
import Testing

@testable import StatusModel

@Suite("JSON of status and trace")
struct JSONTests {
  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try JSONText.bytes(of: value), as: UTF8.self)
  }

  @Test func `a full status is written as it was read, field by field and in their order`() throws {
    #expect(try text(FullStatus.value()) == FullStatus.json)
  }

  @Test func `a full trace is written as it was read, field by field and in their order`() throws {
    #expect(try text(FullTrace.value()) == FullTrace.json)
  }

  @Test func `optional fields without a value are left out`() throws {
    let json = try text(FullStatus.least())
    #expect(try DaemonStatus(json: Array(json.utf8)) == FullStatus.least())
    for key in ["bufferCapacityBytes", "lessee", "powerReason", "vm", "promisedHertz", "format", "parked"] {
      #expect(!json.contains("\"\(key)\":"))
    }
  }

  @Test func `texts of any kind are decoded as they were encoded`() throws {
    for name in [
      "quote\" backslash\\ slash/", "\n\t\r\u{0}\u{1f}\u{7f}\u{80}\u{9b}", "日本語 🖥️ e\u{301}", "\u{2028}\u{fffd}", "",
    ] {
      var status = try FullStatus.value()
      status.vms[0].name = name
      #expect(try DaemonStatus(json: JSONText.bytes(of: status)).vms[0].name == name)
    }
  }

  @Test func `the largest and smallest numbers are decoded as they were encoded`() throws {
    var status = try FullStatus.value()
    status.nowNanoseconds = .max
    status.bufferBytes = .min
    status.bufferOverheadBytes = .max
    status.process.pid = .min
    status.vms[0].weight = .min
    #expect(try DaemonStatus(json: JSONText.bytes(of: status)) == status)
  }

  @Test func `the encoder agrees with Foundation's on values of any shape`() throws {
    struct Shape: Codable, Equatable {
      enum Choice: Codable, Equatable {
        case none
        case size(width: Int, height: Int)
      }
      var double: Double
      var float: Float?
      var small: Int8
      var lists: [[UInt16]]
      var dictionary: [String: Bool]
      var empty: [String]
      var nothing: [String: Int]
      var choices: [Choice]
      var missing: String?
      var optionals: [Int?]
    }
    let shape = Shape(
      double: -1.5e-9, float: 0.25, small: -128, lists: [[], [1, 2], [65535]], dictionary: ["a": true, "b\n": false],
      empty: [], nothing: [:], choices: [.none, .size(width: 3, height: -4)], missing: nil, optionals: [1, nil, 3])
    #expect(try JSONDecoder().decode(Shape.self, from: Data(JSONText.bytes(of: shape))) == shape)
  }

  @Test func `numbers that JSON cannot express are null`() throws {
    #expect(try text([Double.infinity, -.infinity, .nan, 1]) == "[null,null,null,1.0]")
  }

  @Test func `the pieces of a status are the same text as the whole`() throws {
    for count in [0, 1, 3] {
      var status = try FullStatus.value()
      status.vms = Array(repeating: status.vms[0], count: count)
      var vms = status.vms.makeIterator()
      var head = status
      head.vms = []
      let pieces = try JSONPieces(head) { try vms.next().map { try JSONPieces($0) } }
      var bytes: [UInt8] = []
      var pieceCount = 0
      while let piece = try pieces.next() {
        bytes += piece
        pieceCount += 1
      }
      #expect(try bytes == JSONText.bytes(of: status))
      #expect(pieceCount == count + 2)
      #expect(try pieces.next() == nil)
    }
  }

  @Test func `the pieces of a trace go down to its frames`() throws {
    let trace = try FullTrace.value()
    var scanouts = ([trace.scanouts[0], trace.scanouts[0]]).makeIterator()
    var head = trace
    head.scanouts = []
    let pieces = try JSONPieces(head) {
      guard var scanout = scanouts.next() else { return nil }
      var frames = scanout.frames.makeIterator()
      scanout.frames = []
      return try JSONPieces(scanout) { try frames.next().map { try JSONPieces($0) } }
    }
    var bytes: [UInt8] = []
    while let piece = try pieces.next() { bytes += piece }
    var whole = trace
    whole.scanouts.append(trace.scanouts[0])
    #expect(try bytes == JSONText.bytes(of: whole))
  }

  @Test func `a report whose last field is not an empty array has no pieces`() throws {
    #expect(throws: ReportError.self) { try JSONPieces(FullStatus.value()) { nil } }
    #expect(throws: ReportError.self) { try JSONPieces(["a": 1]) { nil } }
  }

  @Test func `keys of later versions are ignored`() throws {
    let json = FullTrace.json.replacingOccurrences(of: #"{"nowNano"#, with: #"{"later":[{}],"nowNano"#)
    #expect(try DaemonTrace(json: Array(json.utf8)) == FullTrace.value())
  }

  @Test(arguments: [
    (#""path":"copy""#, #""path":"teleport""#, "scanouts.0.frames.0.path"),
    (#""output":"HDMI-A-1""#, #""output":1"#, "scanouts.0.output"), (#""pid":200,"#, "", "scanouts.0.pid is missing"),
  ])
  func `an error names the field that is wrong`(good: String, bad: String, named: String) throws {
    let json = FullTrace.json.replacingOccurrences(of: good, with: bad)
    let error = try #require(throws: ReportError.self) { try DaemonTrace(json: Array(json.utf8)) }
    #expect(error.description.contains(named))
  }

  @Test(arguments: ["-1", "1e99", "18446744073709551616", "1.5", "-0.1"])
  func `a number that its field cannot hold is an error`(number: String) {
    let json = FullTrace.json.replacingOccurrences(of: #""copiedBytes":5"#, with: #""copiedBytes":\#(number)"#)
    #expect(throws: ReportError.self) { try DaemonTrace(json: Array(json.utf8)) }
  }

  @Test func `text that is not JSON is an error`() {
    for json in ["", "{", "[]", "null", "{}", "\u{0}", FullStatus.json + "}"] {
      #expect(throws: ReportError.self) { try DaemonStatus(json: Array(json.utf8)) }
    }
    #expect(throws: ReportError.self) { try DaemonStatus(json: [0xff, 0xfe, 0x00]) }
  }
}
