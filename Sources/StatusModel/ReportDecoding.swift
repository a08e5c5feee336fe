import FoundationEssentials

extension DaemonStatus {
  /// Reads a daemon's answer to STATUS. Unknown keys are ignored.
  public init(json: [UInt8]) throws(ReportError) { self = try decoded(json, "status") }
}

extension OwnStatus {
  /// Reads a daemon's answer to STATUS on the frames socket. Unknown keys are ignored.
  public init(json: [UInt8]) throws(ReportError) { self = try decoded(json, "status") }
}

extension DaemonTrace {
  /// Reads a daemon's answer to TRACE. Unknown keys are ignored.
  public init(json: [UInt8]) throws(ReportError) { self = try decoded(json, "trace") }
}

private func decoded<Report: Decodable>(_ json: [UInt8], _ name: String) throws(ReportError) -> Report {
  do {
    return try JSONDecoder().decode(Report.self, from: Data(json))
  } catch {
    throw ReportError("framepathd's \(name) has an unexpected format (\(reason(error)))")
  }
}

/// The faulty field and the fault.
private func reason(_ error: any Error) -> String {
  guard let error = error as? DecodingError else { return "\(error)" }
  switch error {
  case .keyNotFound(let key, let context): return "\(path(context.codingPath + [key])) is missing"
  case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
    let path = path(context.codingPath)
    return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
  @unknown default: return "\(error)"
  }
}

/// A path such as `vms.0.scanouts.0.path`.
private func path(_ keys: [any CodingKey]) -> String {
  keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
}
