import PresentProtocol

/// The daemon's sockets.
enum SocketPurpose {
  /// For clients that show frames; they learn about themselves only.
  case frames
  /// For tools that see and control everything. Its mode and group say who may connect.
  case control
}

/// A client's place in the table of rights: its socket, and on the one for frames whether it has scanouts.
enum ClientRole: CaseIterable {
  case framesWithScanouts
  case framesWithoutScanouts
  case control
}

/// What a client may do with a type of message.
enum MessageRight: String {
  case allowed = "yes"
  /// The answer is about the client itself only.
  case own = "about itself"
  /// If the output's setting `lease` names the client's user or group.
  case named = "users and groups of the setting `lease`"
  /// Answered by ERROR(DENIED).
  case denied = "no"
}

/// Who may send what: the one place that the server asks. Docs/Security.md has the same table.
enum MessageRights {
  /// The right of a client to send a type of message.
  static func right(of role: ClientRole, to type: ClientMessageType) -> MessageRight {
    let row = row(type)
    return switch role {
    case .framesWithScanouts: row.withScanouts
    case .framesWithoutScanouts: row.withoutScanouts
    case .control: row.control
    }
  }

  private typealias Row = (withScanouts: MessageRight, withoutScanouts: MessageRight, control: MessageRight)

  private static func row(_ type: ClientMessageType) -> Row {
    switch type {
    case .hello: (.allowed, .allowed, .allowed)
    case .createBuffer, .importBuffer, .destroyBuffer, .present, .disable, .cursor, .path, .region, .syncPoints,
      .device:
      (.allowed, .denied, .denied)
    case .status, .snapshot, .trace: (.own, .denied, .allowed)
    case .lease: (.named, .named, .allowed)
    case .settings, .subscribe, .focus, .revoke: (.denied, .denied, .allowed)
    }
  }

  /// The rows of the table in Docs/Security.md.
  static var markdown: [String] {
    [
      "| message | frames socket, with scanouts | frames socket, without scanouts | control socket |",
      "| --- | --- | --- | --- |",
    ]
      + ClientMessageType.allCases.map { type in
        "| \(type.name) | "
          + ClientRole.allCases.map { right(of: $0, to: type).rawValue }.joined(separator: " | ") + " |"
      }
  }
}
