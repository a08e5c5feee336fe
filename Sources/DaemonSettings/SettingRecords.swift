public import PresentProtocol
import Scanout

extension SettingChange {
  /// The change on the wire: one record, or one for each item of a list.
  public var records: [SettingRecord] {
    let items = value.items(of: SettingsTable.setting(number)?.type)
    return items.enumerated().map { index, item in
      SettingRecord(number, of: target.name, item, hasMore: index + 1 < items.count, line: line)
    }
  }

  /// The changes that these records carry.
  ///
  /// - Throws: if a record has an unknown setting, or a value that the setting does not take.
  public static func changes(_ records: [SettingRecord]) throws(SettingsError) -> [SettingChange] {
    var changes: [SettingChange] = []
    var start = 0
    while start < records.count {
      var end = start
      while records[end].hasMore, end + 1 < records.count { end += 1 }
      changes.append(try SettingChange(records[start...end]))
      start = end + 1
    }
    return changes
  }

  private init(_ records: ArraySlice<SettingRecord>) throws(SettingsError) {
    guard let first = records.first, let setting = SettingsTable.setting(first.setting) else {
      throw SettingsError(records.first?.line, "there is no setting with number \(records.first?.setting ?? 0)")
    }
    guard records.allSatisfy({ $0.setting == first.setting && $0.target == first.target }),
      let value = SettingValue(records.map(\.item), of: setting.type), setting.type.allows(value)
    else { throw SettingsError(first.line, "\(setting.name) is \(setting.type.expected)") }
    if setting.scope == .vm, !PresentLimits.isValidName(first.target) {
      throw SettingsError(
        first.line, "a VM's name has \(PresentLimits.nameRule)")
    }
    self.init(SettingTarget(setting.scope, name: first.target), setting.number, value, line: first.line)
  }
}

extension SettingValue {
  fileprivate func items(of type: SettingType?) -> [SettingRecord.Item] {
    switch self {
    case .none: return [.none]
    case .whole(let number): return [.number(number)]
    case .text(let text): return [.name(text)]
    case .choice(let name):
      guard case .choice(let choices)? = type, let place = choices.firstIndex(of: name) else { return [.none] }
      return [.choice(place)]
    case .names(let names): return names.map { .name($0) }
    case .layout(.single): return [.choice(0)]
    case .layout(.tile): return [.choice(1)]
    case .layout(.focus): return [.choice(2)]
    case .layout(.grid(let columns, let rows)): return [.grid(columns: columns, rows: rows)]
    case .layout(.places(let places)):
      return places.isEmpty ? [.none] : places.map { .place(vm: $0.vm, $0.rect) }
    case .leasePolicy(.off): return [.choice(0)]
    case .leasePolicy(.own): return [.choice(1)]
    case .leasePolicy(.allowed(let users, let groups)): return users.map { .user($0) } + groups.map { .group($0) }
    }
  }

  fileprivate init?(_ items: [SettingRecord.Item], of type: SettingType) {
    switch (type, items.first, items.count) {
    case (.layout, .none?, 1): self = .layout(.places([]))
    case (_, .none?, 1): self = .none
    case (.whole, .number(let number)?, 1), (.bytes, .number(let number)?, 1), (.mode, .number(let number)?, 1),
      (.user, .number(let number)?, 1), (.group, .number(let number)?, 1):
      self = .whole(number)
    case (.path, .name(let text)?, 1), (.label, .name(let text)?, 1): self = .text(text)
    case (.choice(let choices), .choice(let place)?, 1):
      guard choices.indices.contains(place) else { return nil }
      self = .choice(choices[place])
    case (.layout, .choice(let place)?, 1):
      let layouts = [OutputLayout.single, .tile, .focus]
      guard layouts.indices.contains(place) else { return nil }
      self = .layout(layouts[place])
    case (.layout, .grid(let columns, let rows)?, 1): self = .layout(.grid(columns: columns, rows: rows))
    case (.layout, .place?, _):
      var places: [OutputLayout.Place] = []
      for item in items {
        guard case .place(let vm, let rect) = item else { return nil }
        places.append(OutputLayout.Place(vm: vm, rect: rect))
      }
      self = .layout(.places(places))
    case (.leasePolicy, .choice(let place)?, 1) where place < 2: self = .leasePolicy(place == 0 ? .off : .own)
    case (.leasePolicy, _, _):
      var (users, groups): ([UInt32], [UInt32]) = ([], [])
      for item in items {
        switch item {
        case .user(let id): users.append(id)
        case .group(let id): groups.append(id)
        default: return nil
        }
      }
      self = .leasePolicy(.allowed(users: users, groups: groups))
    case (.outputNames, _, _):
      var names: [String] = []
      for item in items {
        guard case .name(let name) = item else { return nil }
        names.append(name)
      }
      self = .names(names)
    default: return nil
    }
  }
}
