import Foundation
import PresentClient

/// The daemon's status, as the readers of `framepath status --json` see it.
struct Status: Decodable {
  struct OutputStatus: Decodable {
    let name: String
    let kind: String
    let width: Int
    let height: Int
    let refreshMillihertz: Int
    let commits: Int
    let missedVblanks: Int
    let power: String?
    let idleOffSeconds: Int?
    let isVariable: Bool?
    let vms: [Tile]?
    let lessee: Lessee?

    struct Lessee: Decodable {
      let name: String
      let pid: Int32
    }

    struct Tile: Decodable {
      let name: String
      let x: Int
      let y: Int
      let width: Int
      let height: Int
    }
  }

  struct VM: Decodable {
    let name: String
    let pid: Int32
    let scanouts: [ScanoutStatus]
  }

  struct ScanoutStatus: Decodable {
    let index: Int
    let output: String?
    let width: Int
    let height: Int
    let format: String?
    let path: String?
    let pathReason: String?
    let framesPresented: Int
    let framesFlipped: Int
    let framesSuperseded: Int
    let cpuCopies: Int
    let copiedBytes: Int
    let buffers: Int?
  }

  let outputs: [OutputStatus]
  let vms: [VM]

  /// A VM's first scanout.
  func scanout(vm: String) throws -> ScanoutStatus {
    guard let scanout = vms.first(where: { $0.name == vm })?.scanouts.first else {
      throw LabError("the daemon knows no scanout of \(vm)")
    }
    return scanout
  }
}

/// The daemon's record of its last frames; times are CLOCK_MONOTONIC nanoseconds, 0 for what has not happened.
struct Trace: Decodable {
  struct Frame: Decodable {
    let frame: UInt64
    let presentedNanoseconds: UInt64
    let latchedNanoseconds: UInt64
    let flippedNanoseconds: UInt64
    let outcome: String
  }

  struct Scanout: Decodable {
    let vm: String
    let frames: [Frame]
  }

  let scanouts: [Scanout]
}

extension LabHost {
  func trace() throws -> Trace {
    try decode { () throws(PresentClientError) in try PresentTool.trace(path: socket) }
  }

  func status() throws -> Status {
    try decode { () throws(PresentClientError) in try PresentTool.status(path: socket) }
  }

  private func decode<Report: Decodable>(_ ask: () throws(PresentClientError) -> [UInt8]) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(try patiently(ask)))
  }
}
