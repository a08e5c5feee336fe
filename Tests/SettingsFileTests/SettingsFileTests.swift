import DaemonSettings
import Testing

@testable import SettingsFile

@Suite("The configuration file")
struct SettingsFileTests {
  @Test func `every kind of TOML value reaches its setting`() throws {
    let text = """
      # All outputs, those too that come later.
      [outputs]
      layout = 'tile 4x4'   # a literal string
      max-hold = 0x3C
      watchdog = false
      "policy" = "weighted\\u002Dfair"
      [output."HDMI-A-1"]
      lease = [
        "uid 1000",  # a comment in a list
        "gid 44",
      ]
      [memory]
      capacity = "6G"
      overhead = 1_000
      [vm]
      web = { weight = 200, outputs = ["HDMI-A-1", "DP-1"] }
      db.sla = "60Hz"
      """
    let changes = try SettingsFile.changes(text)
    #expect(
      changes == [
        SettingChange(.allOutputs, 1, .layout(.grid(columns: 4, rows: 4)), line: 3),
        SettingChange(.allOutputs, 3, .whole(60), line: 4), SettingChange(.allOutputs, 4, .none, line: 5),
        SettingChange(.allOutputs, 2, .choice("weighted-fair"), line: 6),
        SettingChange(.output("HDMI-A-1"), 5, .leasePolicy(.allowed(users: [1000], groups: [44])), line: 8),
        SettingChange(.memory, 101, .whole(6 << 30), line: 13), SettingChange(.memory, 103, .whole(1000), line: 14),
        SettingChange(.vm("web"), 206, .names(["HDMI-A-1", "DP-1"]), line: 16),
        SettingChange(.vm("web"), 201, .whole(200), line: 16), SettingChange(.vm("db"), 202, .whole(60), line: 17),
      ])
  }

  @Test func `one output's settings take precedence over those of all outputs, in any order`() throws {
    let changes = try SettingsFile.changes("[output.DP-1]\npolicy = \"sla\"\n[outputs]\npolicy = \"fifo\"")
    #expect(changes.map(\.target) == [.allOutputs, .output("DP-1")])
  }

  @Test func `an empty file changes nothing`() throws {
    #expect(try SettingsFile.changes("").isEmpty)
    #expect(try SettingsFile.changes("# nothing\n\n[outputs]\n").isEmpty)
  }

  private static let forms = "a table is [sockets], [clients], [memory], [outputs], [output.NAME] or [vm.NAME]"

  @Test(arguments: [
    ("policy = \"fifo\"", 1, "policy is not in a table; \(forms)"),
    (
      "\n[colours]\na = 1", 2, "there is no table [colours]; \(forms)"
    ),
    ("[vm]\nweight = 5", 2, "weight is in [vm], which has a table for each name: [vm.NAME]"),
    (
      "[[vm]]\nweight = 5", 1,
      "[[vm]] is a list of tables; \(forms)"
    ),
    ("[vm.web]\n\nweight = 0", 3, "weight is a whole number from 1 to 10000, not 0"),
    ("[vm.web]\nweight = 1979-05-27", 2, "weight is a whole number from 1 to 10000, not a date"),
    (
      "[outputs]\nnote = '''\nweight = 3\n'''\n", 2,
      "[outputs] has no setting note; there are: layout, policy, max-hold, "
        + "watchdog, lease, power, idle-blank, idle-off, vrr"
    ),
    ("[vm.web]\noutputs = \"a\\u0000b\"", 2, "a NUL character is not allowed"),
    ("[vm.\"\"]\nweight = 5", 1, "a name is empty; \(forms)"),
  ])
  func `a file with another key, table or value is refused with its line`(_ text: String, _ line: Int, _ reason: String)
  {
    #expect(throws: SettingsError(line, reason)) { try SettingsFile.changes(text) }
  }

  @Test(arguments: [
    ("[outputs]\nlayout = tile", 2), ("[outputs]\nlayout = \"tile", 2), ("[outputs\nlayout = 1", 1),
    ("[vm.web]\nweight = 5\nweight = 6", 3), ("[vm.web]\n[vm.web]", 2), ("[outputs]\nmax-hold = 08", 2),
  ])
  func `a file that is not TOML is refused with the line of the fault`(_ text: String, _ line: Int) {
    let error = #expect(throws: SettingsError.self) { try SettingsFile.changes(text) }
    #expect(error?.line == line, "\(error.map { "\($0)" } ?? "")")
    #expect(error?.reason.isEmpty == false)
  }
}

@Suite("Lines of keys")
struct KeyLinesTests {
  @Test(arguments: [
    (["a"], 1), (["t"], 2), (["t", "x"], 3), (["t", "y"], 6), (["t", "z"], 10), (["t", "z", "q"], 11),
    (["t", "last"], 13), (["t.u", "v w"], 14), (["t.u", "v w", "k"], 15), (["d", "e", "f"], 17), (["t", "none"], 2),
  ])
  func `a key is found behind strings, lists, inline tables and comments of several lines`(
    _ path: [String], _ line: Int
  ) {
    let text = """
      a = 1 # [no]
      [ t ] # b = 2
      x = \"\"\"one
      y = no
      \"""\"\"\"
      y = [ [1, "]"], # ]
        { no = '}' },
      ]

      z = { p = 1,
        q = [2,
          3] }
      last = '''a''''
      [ "t.u" . 'v w' ]
      k = 1979-05-27T07:32:00Z
      [d.e]
      f = 1
      """
    #expect(KeyLines(text).line(of: path) == line)
  }

  @Test func `text that is not TOML ends as well`() {
    for text in [
      "[", "[[", "=", "= = =", "a", "a = [", "a = {b", "a = \"", "a = '''", "]", "}", "a = }", ",", "\\", "a.=[",
    ] {
      #expect(KeyLines(text).line(of: ["none"]) == nil)
    }
  }
}
