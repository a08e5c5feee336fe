import FrameScheduler
import Scanout

/// What settings ask for, understood but not yet checked against what there is.
struct SettingsPlan {
  /// For one output or for all of them.
  struct OutputChange {
    var line: Int
    /// Which setting it is; the others are nil.
    var key: String
    /// nil: all outputs, those that come later too.
    var output: String?
    var layout: OutputLayout?
    var policy: SchedulingPolicy?
    var limits = ExclusiveLimits.Change()
    var lease: LeasePolicy?
    var power = IdleLimits.Change()
    var variableRefresh: VariableRefresh?
  }

  struct VMChange {
    /// Of the promise, where there is one.
    var line: Int
    /// Of `max-memory`, where there is one.
    var memoryLine: Int?
    /// Of `outputs`, where there is one.
    var outputsLine: Int?
    var vm: String
    var settings: VMSettings
  }

  var outputs: [OutputChange] = []
  var vms: [VMChange] = []
  /// What there is for buffers of all clients.
  var memory: MemoryBroker.Settings
  /// The first line about that.
  var memoryLine: Int?
  /// Who is to be shown alone.
  var focus: (line: Int, vm: String)?
  /// The output that is taken from whoever has it to itself.
  var revoke: (line: Int, output: String)?
  /// The output that is taken from its lessee.
  var revokeLease: (line: Int, output: String)?

  /// What all outputs were told, for one that comes later.
  init(standing: [OutputChange], memory: MemoryBroker.Settings) {
    outputs = standing
    self.memory = memory
  }

  /// A text changes only what it names.
  ///
  /// - Parameters:
  ///   - memory: how memory is shared now.
  ///   - settings: what a VM has now.
  init(
    _ text: SettingsText, memory: MemoryBroker.Settings, settings: (String) -> VMSettings
  ) throws(SettingsError) {
    self.memory = memory
    for entry in text.entries {
      switch (entry.table, entry.name) {
      case ("", nil):
        switch entry.key {
        case "focus": focus = (entry.line, try entry.text())
        case "revoke": revoke = (entry.line, try entry.text())
        case "revoke-lease": revokeLease = (entry.line, try entry.text())
        default: throw SettingsError(entry.line, "\(entry.key) stands in no table")
        }
      case ("memory", nil): try take(memory: entry)
      case ("outputs", nil), ("output", .some): try take(output: entry)
      case ("vm", .some(let name)): try take(vm: entry, name, settings)
      default: throw SettingsError(entry.line, "a table is [memory], [outputs], [output.NAME] or [vm.NAME]")
      }
    }
  }

  private mutating func take(memory entry: SettingsText.Entry) throws(SettingsError) {
    memoryLine = memoryLine ?? entry.line
    switch entry.key {
    case "capacity": memory.capacityBytes = try entry.byteCount()
    case "max-per-vm": memory.limitBytes = try entry.byteCount()
    case "overhead": memory.overheadBytes = try entry.byteCount(atLeast: 0)
    case "selection":
      let name = try entry.text()
      guard let selection = MemorySelection(rawValue: name) else {
        let known = MemorySelection.allCases.map(\.rawValue).joined(separator: ", ")
        throw SettingsError(entry.line, "there is no selection \(name); there are: \(known)")
      }
      memory.selection = selection
    case "imports":
      switch try entry.text() {
      case "free": memory.countsImports = false
      case "counted": memory.countsImports = true
      default: throw SettingsError(entry.line, "imports are free or counted")
      }
    default:
      throw SettingsError(
        entry.line, "memory has capacity, max-per-vm, overhead, selection and imports, not \(entry.key)")
    }
  }

  private mutating func take(output entry: SettingsText.Entry) throws(SettingsError) {
    var change = OutputChange(line: entry.line, key: entry.key, output: entry.name)
    switch entry.key {
    case "layout": change.layout = try OutputLayout(setting: try entry.text(), entry.line)
    case "policy":
      let name = try entry.text()
      guard let policy = SchedulingPolicy(rawValue: name) else {
        let known = SchedulingPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        throw SettingsError(entry.line, "there is no policy \(name); there are: \(known)")
      }
      change.policy = policy
    case "max-hold": change.limits.maximumHoldSeconds = try entry.number(0...86_400)
    case "watchdog": change.limits.watchdogSeconds = try entry.number(0...86_400)
    case "lease": change.lease = try LeasePolicy(setting: try entry.text(), entry.line)
    case "power":
      let name = try entry.text()
      guard let power = OutputPower(rawValue: name) else {
        throw SettingsError(entry.line, "an output's power is on, blank or off, not \(name)")
      }
      change.power.power = power
    case "vrr":
      let name = try entry.text()
      guard let rule = VariableRefresh(rawValue: name) else {
        throw SettingsError(entry.line, "vrr is off or single, not \(name)")
      }
      change.variableRefresh = rule
    case "idle-blank": change.power.blankSeconds = try entry.number(0...86_400)
    case "idle-off": change.power.offSeconds = try entry.number(0...86_400)
    default:
      throw SettingsError(
        entry.line,
        "an output has layout, policy, max-hold, watchdog, lease, power, idle-blank, idle-off and vrr, not \(entry.key)"
      )
    }
    outputs.append(change)
  }

  private mutating func take(
    vm entry: SettingsText.Entry, _ name: String, _ settings: (String) -> VMSettings
  ) throws(SettingsError) {
    let place: Int
    if let known = vms.firstIndex(where: { $0.vm == name }) {
      place = known
    } else {
      place = vms.count
      vms.append(VMChange(line: entry.line, vm: name, settings: settings(name)))
    }
    switch entry.key {
    case "weight": vms[place].settings.weight = try entry.number(1...10_000)
    case "sla":
      vms[place].line = entry.line
      let hertz = try entry.number(0...1_000)
      vms[place].settings.promisedHertz = hertz == 0 ? nil : hertz
    case "cap":
      vms[place].line = entry.line
      let hertz = try entry.number(0...1_000)
      vms[place].settings.cappedHertz = hertz == 0 ? nil : hertz
    case "unseen-cap":
      let hertz = try entry.number(0...1_000)
      vms[place].settings.unseenHertz = hertz == 0 ? nil : hertz
    case "max-memory":
      vms[place].memoryLine = entry.line
      vms[place].settings.memoryLimitBytes = try entry.byteCount()
    case "outputs":
      vms[place].outputsLine = entry.line
      vms[place].settings.outputs = try entry.text().split(separator: ",").map { name in
        String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    default:
      throw SettingsError(
        entry.line, "a VM has weight, sla, cap, unseen-cap, max-memory and outputs, not \(entry.key)")
    }
  }
}

extension SettingsText.Entry {
  func text() throws(SettingsError) -> String {
    guard case .string(let text) = value else { throw SettingsError(line, "\(key) is a text in quotes") }
    return text
  }

  func number(_ range: ClosedRange<Int64>) throws(SettingsError) -> Int64 {
    guard case .number(let number) = value, range.contains(number) else {
      throw SettingsError(line, "\(key) is a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// `256M`, `1G`, or bytes.
  func byteCount(atLeast least: Int = 1) throws(SettingsError) -> Int {
    var text: Substring
    switch value {
    case .number(let number): text = Substring("\(number)")
    case .string(let string): text = Substring(string)
    }
    var shift = 0
    for (letter, bits) in [("K", 10), ("M", 20), ("G", 30)] where text.hasSuffix(letter) {
      shift = bits
      text = text.dropLast()
    }
    guard let count = Int(text), count >= least, count <= Int.max >> (shift + 1), count << shift <= 1 << 40 else {
      throw SettingsError(line, "\(key) is a size such as 256M, \(least) to 1024G")
    }
    return count << shift
  }
}

extension OutputLayout {
  /// From `single`, `tile`, `tile 4x4`, `tile web=0,0,640x480 db=640,0,640x480` or `focus`.
  init(setting: String, _ line: Int) throws(SettingsError) {
    let words = setting.split(separator: " ")
    switch (words.first, words.count) {
    case ("single", 1): self = .single
    case ("focus", 1): self = .focus
    case ("tile", 1): self = .tile
    case ("tile", _):
      if words.count == 2, let size = OutputLayout.size(words[1]) {
        self = .grid(columns: size.0, rows: size.1)
        return
      }
      var places: [Place] = []
      for word in words.dropFirst() {
        guard let place = OutputLayout.place(word) else {
          throw SettingsError(line, "\(word) is neither COLUMNSxROWS nor VM=X,Y,WIDTHxHEIGHT")
        }
        places.append(place)
      }
      self = .places(places)
    default:
      throw SettingsError(
        line, "there is no layout \(setting); there are: single, tile, tile 4x4, tile VM=X,Y,WxH …, focus")
    }
  }

  private static func size(_ text: some StringProtocol) -> (Int, Int)? {
    let parts = text.split(separator: "x").compactMap { Int($0) }
    return parts.count == 2 && text.split(separator: "x", omittingEmptySubsequences: false).count == 2
      ? (parts[0], parts[1]) : nil
  }

  private static func place(_ word: Substring) -> Place? {
    guard let equals = word.lastIndex(of: "="), equals != word.startIndex else { return nil }
    let parts = word[word.index(after: equals)...].split(separator: ",")
    let limit = 0...(1 << 20)
    guard parts.count == 3, let x = Int(parts[0]), let y = Int(parts[1]), let size = size(parts[2]),
      [x, y, size.0, size.1].allSatisfy(limit.contains)
    else { return nil }
    return Place(vm: String(word[..<equals]), rect: Rect(x: x, y: y, width: size.0, height: size.1))
  }
}
