import DaemonSettings
import Foundation
import FrameScheduler
import PresentProtocol
import Scanout
import Testing

@Suite("The table of settings")
struct SettingsTableTests {
  @Test func `every setting has a number and a name of its own, and a default that it takes`() {
    let all = SettingsTable.all
    #expect(Set(all.map(\.number)).count == all.count)
    #expect(Set(all.map { "\($0.scope) \($0.name)" }).count == all.count)
    for setting in all {
      #expect(setting.type.allows(setting.defaultValue), "\(setting.name)")
      #expect(setting.name == SettingSpelling.hyphenated(setting.name))
    }
  }

  @Test func `a default's text is read as the default`() throws {
    for setting in SettingsTable.all {
      let value = try setting.type.value(of: .text(setting.defaultText), name: setting.name)
      #expect(value == setting.defaultValue, "\(setting.name)")
    }
  }

  @Test func `a row reads and writes the property that it is about`() {
    var settings = OutputSettings()
    let isSet = settings.set(3, to: .whole(60))
    #expect(isSet)
    #expect(settings.exclusive.maximumHoldSeconds == 60)
    #expect(OutputSettings.table.first { $0.description.number == 3 }?.value(in: settings) == .whole(60))
    let isCleared = settings.set(3, to: .none)
    #expect(isCleared)
    #expect(settings == OutputSettings())
  }

  @Test func `a row refuses another scope's number, a value out of range and one of another type`() {
    var settings = OutputSettings()
    let answers = [
      settings.set(201, to: .whole(5)), settings.set(3, to: .whole(0)), settings.set(3, to: .choice("on")),
    ]
    #expect(answers == [false, false, false])
    #expect(settings == OutputSettings())
  }

  @Test func `Docs/Settings.md has the current table`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "Docs/Settings.md"), encoding: .utf8)
    let marks = SettingsTable.markdownMarks
    let begin = try #require(text.range(of: marks.begin + "\n"))
    let end = try #require(text.range(of: "\n" + marks.end))
    #expect(
      text[begin.upperBound..<end.lowerBound] == SettingsTable.markdown.joined(separator: "\n"),
      "replace the part between the marks by what framepath settings --markdown prints")
  }
}

@Suite("A setting's value as it is written")
struct SettingValueTests {
  private func value(_ name: String, _ scope: SettingScope, _ literal: SettingLiteral) throws -> SettingValue {
    try #require(SettingsTable.setting(name, scope)).type.value(of: literal, name: name)
  }

  @Test(arguments: [SettingLiteral.whole(0), .text("0"), .text("never"), .boolean(false)])
  func `no time is written as 0, its word, or false`(_ literal: SettingLiteral) throws {
    #expect(try value("watchdog", .output, literal) == .none)
  }

  @Test func `numbers may have their unit`() throws {
    #expect(try value("sla", .vm, .text("60Hz")) == .whole(60))
    #expect(try value("sla", .vm, .text("60")) == .whole(60))
    #expect(try value("max-hold", .output, .text("90s")) == .whole(90))
    #expect(try value("capacity", .memory, .text("6G")) == .whole(6 << 30))
    #expect(try value("capacity", .memory, .whole(4096)) == .whole(4096))
    #expect(try value("capacity", .memory, .text("unlimited")) == .none)
  }

  @Test func `users and groups have names or numbers, of which 0 is one`() throws {
    #expect(try value("user", .vm, .text("root")) == .whole(0))
    #expect(try value("user", .vm, .whole(0)) == .whole(0))
    #expect(try value("user", .vm, .text("64055")) == .whole(64055))
    #expect(try value("user", .vm, .text("any")) == .none)
    #expect(try value("control-group", .sockets, .text("root")) == .whole(0))
    #expect(try value("control-group", .sockets, .text("default")) == .none)
    #expect(throws: SettingsError(nil, "there is no user nowhere on this host")) {
      try value("user", .vm, .text("nowhere"))
    }
    #expect(throws: SettingsError(nil, "there is no group 4294967295 on this host")) {
      try value("socket-group", .sockets, .text("4294967295"))
    }
  }

  @Test func `a mode is octal, and a mode that was written in decimal is refused`() throws {
    for literal in [SettingLiteral.text("660"), .text("0660"), .text("0o660"), .whole(0o660)] {
      #expect(try value("socket-mode", .sockets, literal) == .whole(0o660))
    }
    for literal in [SettingLiteral.whole(660), .text("680"), .text("1660"), .text("rw"), .boolean(true)] {
      #expect(
        throws: SettingsError(nil, "socket-mode is an octal mode such as \"660\", not \(literal.description)")
      ) { try value("socket-mode", .sockets, literal) }
    }
  }

  @Test func `a path has at most the bytes of a socket's address`() throws {
    let longest = String(repeating: "x", count: 107)
    #expect(try value("socket", .sockets, .text(longest)) == .text(longest))
    #expect(try value("socket", .sockets, .text("default")) == .none)
    for text in ["", longest + "x", "a\nb"] {
      #expect(throws: SettingsError.self) { try value("socket", .sockets, .text(text)) }
    }
  }

  @Test(arguments: ["weighted-fair", "weightedFair"])
  func `choices have one spelling, and the former one is accepted`(_ word: String) throws {
    #expect(try value("policy", .output, .text(word)) == .choice("weighted-fair"))
  }

  @Test func `a list is an array, or a text with commas`() throws {
    let names = SettingValue.names(["HDMI-A-1", "DP-1"])
    #expect(try value("outputs", .vm, .text("HDMI-A-1, DP-1")) == names)
    #expect(try value("outputs", .vm, .list([.text("HDMI-A-1"), .text("DP-1")])) == names)
    #expect(try value("outputs", .vm, .text("")) == .none)
    let users = SettingValue.leasePolicy(.allowed(users: [1000], groups: [44]))
    #expect(try value("lease", .output, .text("uid 1000, gid 44")) == users)
    #expect(try value("lease", .output, .list([.text("uid 1000"), .text("gid 44")])) == users)
    let place = OutputLayout.Place(vm: "a", rect: Rect(x: 0, y: 8, width: 640, height: 480))
    #expect(try value("layout", .output, .text("tile a=0,8,640x480")) == .layout(.places([place])))
    #expect(try value("layout", .output, .list([.text("a=0,8,640x480")])) == .layout(.places([place])))
  }

  @Test(arguments: [
    ("weight", SettingScope.vm, SettingLiteral.whole(0), "weight is a whole number from 1 to 10000, not 0"),
    ("weight", .vm, .fraction(1.5), "weight is a whole number from 1 to 10000, not 1.5"),
    ("weight", .vm, .boolean(true), "weight is a whole number from 1 to 10000, not true"),
    ("sla", .vm, .text("59.94Hz"), "sla is a whole number of hertz from 1 to 1000, or 0 for none, not 59.94Hz"),
    ("capacity", .memory, .text("6X"), "capacity is a size such as 256M, 1 to 1T, or 0 for unlimited, not 6X"),
    (
      "policy", .output, .text("fastest"),
      "there is no policy fastest; there are: fifo, round-robin, weighted-fair, "
        + "sla, hybrid, exclusive"
    ),
    ("vrr", .output, .boolean(true), "there is no vrr true; there are: off, single"),
    (
      "layout", .output, .text("tiles"),
      "there is no layout tiles; there are: single, tile, tile 4x4, "
        + "tile VM=X,Y,WxH …, focus"
    ),
    ("layout", .output, .text("tile 4"), "4 is neither COLUMNSxROWS nor VM=X,Y,WIDTHxHEIGHT"),
    (
      "lease", .output, .text("uid x"), "lease is off, own, or users and groups such as \"uid 1000, gid 44\", not uid x"
    ),
    ("outputs", .vm, .list([.whole(1)]), "outputs is names of outputs, such as \"HDMI-A-1, DP-1\", not 1"),
    ("outputs", .vm, .other("a date"), "outputs is names of outputs, such as \"HDMI-A-1, DP-1\", not a date"),
  ])
  func `any other value is refused with the valid ones`(
    _ name: String, _ scope: SettingScope, _ literal: SettingLiteral, _ reason: String
  ) {
    #expect(throws: SettingsError(nil, reason)) { try value(name, scope, literal) }
  }

  @Test func `an unknown key is refused with the existing ones`() {
    #expect(
      throws: SettingsError(
        4,
        "[vm.web] has no setting speed; there are: weight, sla, cap, unseen-cap, max-memory, outputs, user, label, device-memory, "
          + "blank-stopped")
    ) { try SettingChange(.vm("web"), "speed", .whole(1), line: 4) }
  }
}

@Suite("Changes as records")
struct SettingRecordTests {
  private static let place = OutputLayout.Place(vm: "a b", rect: Rect(x: 1, y: 2, width: 3, height: 4))

  @Test(arguments: [
    SettingChange(.allOutputs, 1, .layout(.single)), SettingChange(.output("DP-1"), 1, .layout(.focus), line: 3),
    SettingChange(.allOutputs, 1, .layout(.grid(columns: 4, rows: 3))),
    SettingChange(.allOutputs, 1, .layout(.places([place, place]))),
    SettingChange(.allOutputs, 2, .choice("exclusive")), SettingChange(.allOutputs, 3, .none),
    SettingChange(.output("DP-1"), 5, .leasePolicy(.off)), SettingChange(.output("DP-1"), 5, .leasePolicy(.own)),
    SettingChange(.output("DP-1"), 5, .leasePolicy(.allowed(users: [0, 1000], groups: [44]))),
    SettingChange(.memory, 101, .whole(1 << 40)), SettingChange(.vm("web"), 206, .names(["a", "b", "c"])),
    SettingChange(.vm("web"), 206, .none), SettingChange(.vm("web"), 207, .whole(64055)),
    SettingChange(.vm("web"), 208, .text("system_u:system_r:svirt_t:s0:c1,c2")), SettingChange(.vm("web"), 208, .none),
    SettingChange(.sockets, 301, .text("/run/" + String(repeating: "x", count: 102))),
    SettingChange(.sockets, 302, .whole(0o660)), SettingChange(.sockets, 303, .whole(44)),
    SettingChange(.sockets, 303, .none), SettingChange(.clients, 401, .whole(100)),
    SettingChange(.clients, 409, .none),
  ])
  func `a change is decoded as it was sent, also between others`(_ change: SettingChange) throws {
    let other = SettingChange(.vm("x"), 201, .whole(5))
    let sent = [change, other, change]
    let bytes = SettingRecords.encode(sent.flatMap(\.records))
    #expect(try SettingChange.changes(SettingRecords.decode(bytes)) == sent)
  }

  @Test(arguments: [
    [SettingRecord(99, of: "", .number(1))], [SettingRecord(201, of: "web", .number(0))],
    [SettingRecord(201, of: "web", .choice(1))], [SettingRecord(201, of: "", .number(5))],
    [SettingRecord(201, of: "a/b", .number(5))], [SettingRecord(2, of: "", .choice(6))],
    [SettingRecord(1, of: "", .choice(3))], [SettingRecord(5, of: "", .choice(2))],
    [SettingRecord(5, of: "", .user(1), hasMore: true), SettingRecord(5, of: "", .number(1))],
    [SettingRecord(206, of: "web", .name("a"), hasMore: true), SettingRecord(206, of: "db", .name("b"))],
    [SettingRecord(201, of: "web", .number(5), hasMore: true), SettingRecord(201, of: "web", .number(6))],
    [SettingRecord(207, of: "web", .number(-1))], [SettingRecord(207, of: "web", .number(0xffff_ffff))],
    [SettingRecord(208, of: "web", .name(""))], [SettingRecord(301, of: "", .name(String(repeating: "x", count: 108)))],
    [SettingRecord(302, of: "", .number(0o1000))],
  ])
  func `records of no setting, or with a value that it does not take, are refused`(_ records: [SettingRecord]) {
    #expect(throws: SettingsError.self) { try SettingChange.changes(records) }
  }
}
