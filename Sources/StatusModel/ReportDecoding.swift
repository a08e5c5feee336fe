import FoundationEssentials

extension DaemonStatus {
  /// Reads a daemon's answer to STATUS. Keys that are not known here are ignored.
  public init(json: [UInt8]) throws(ReportError) { self = try decoded(json, "status") }
}

extension DaemonTrace {
  /// Reads a daemon's answer to TRACE. Keys that are not known here are ignored.
  public init(json: [UInt8]) throws(ReportError) { self = try decoded(json, "trace") }
}

private func decoded<Report: Decodable>(_ json: [UInt8], _ name: String) throws(ReportError) -> Report {
  do {
    return try JSONDecoder().decode(Report.self, from: Data(json))
  } catch {
    throw ReportError("framepathd's \(name) is not in the form that this program reads (\(reason(error)))")
  }
}

/// Which field is wrong, and how.
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

/// Such as `vms.0.scanouts.0.path`.
private func path(_ keys: [any CodingKey]) -> String {
  keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
}
