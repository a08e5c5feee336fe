import LinuxIO
import PresentProtocol

extension Server {
  /// The last frames of every scanout, as Docs/Protocol.md describes it.
  func traceJSON() -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.field("nowNanoseconds", monotonicNanoseconds())
      json.array("scanouts") { json in
        for session in sessions {
          for head in session.heads { json.object { json in Server.report(head, of: session, &json) } }
        }
      }
    }
    return json.bytes
  }

  private static func report(_ head: Surface, of session: ClientSession, _ json: inout JSONWriter) {
    json.field("vm", head.vmName)
    json.field("pid", session.peer.pid)
    json.field("index", head.index)
    json.field("output", head.presenter?.name ?? "")
    json.array("frames") { json in
      for record in head.trace.ordered { json.object { json in report(record, &json) } }
    }
  }

  private static func report(_ record: FrameTrace.Record, _ json: inout JSONWriter) {
    json.field("frame", record.frame)
    json.field("path", name(of: record.path))
    json.field("copies", record.copies)
    json.field("copiedBytes", record.copiedBytes)
    json.field("readyNanoseconds", record.readyNanoseconds)
    json.field("presentedNanoseconds", record.presentedNanoseconds)
    json.field("latchedNanoseconds", record.latchedNanoseconds)
    json.field("flippedNanoseconds", record.flippedNanoseconds)
    json.field("releasedNanoseconds", record.releasedNanoseconds)
    switch record.outcome {
    case .flipped: json.field("outcome", "flipped")
    case .superseded: json.field("outcome", "superseded")
    case .rejected: json.field("outcome", "rejected")
    case nil: json.field("outcome", "open")
    }
  }
}
