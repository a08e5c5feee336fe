extension SettingScope {
  /// Its tables in the configuration file.
  public var tables: String {
    switch self {
    case .output: "[outputs] and [output.NAME]"
    case .memory: "[memory]"
    case .vm: "[vm.NAME]"
    case .sockets: "[sockets]"
    case .clients: "[clients]"
    }
  }
}

extension SettingsTable {
  /// The marks around the generated part of Docs/Settings.md.
  public static let markdownMarks = (begin: "<!-- framepath settings --markdown -->", end: "<!-- end -->")

  /// The generated part of Docs/Settings.md: one table for each scope.
  public static var markdown: [String] {
    var lines: [String] = []
    for scope in SettingScope.allCases {
      lines += ["### \(scope.tables)", ""]
      lines += ["| key | meaning | values | default | command | number |", "| --- | --- | --- | --- | --- | --- |"]
      for setting in settings(of: scope) {
        let cells = [
          "`\(setting.name)`", setting.help, setting.type.expected,
          setting.defaultText.isEmpty ? "empty" : "`\(setting.defaultText)`",
          "`\(setting.command.words)`", "\(setting.number)",
        ]
        lines.append("| \(cells.joined(separator: " | ")) |")
      }
      lines.append("")
    }
    return lines.dropLast()
  }
}
