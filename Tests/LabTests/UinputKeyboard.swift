import CUinput
import LinuxIO

/// A keyboard of the kernel's, made by this test. The kernel cannot tell it from one that is plugged in.
final class UinputKeyboard {
  private let device: OwnedFD
  /// N of /dev/input/eventN.
  let number: Int

  /// Plugs it in.
  init(name: String = "Lab keyboard") throws {
    // All keys of a keyboard: KEY_ESC to KEY_COMPOSE.
    device = OwnedFD(taking: try check("uinput", name) { cuinput_create(name, 1, 127) })
    let raw = device.raw
    number = Int(try check("uinput", name) { cuinput_number(raw) })
  }

  /// Key codes of linux/input-event-codes.h.
  enum Key: Int32 {
    case r = 19
    case enter = 28
    case leftControl = 29
    case leftShift = 42
    case leftAlt = 56
    case f1 = 59
    case f2 = 60
    case sysRq = 99
    case delete = 111
  }

  private static let letters: [Character: Int32] = {
    let rows: [(String, Int32)] = [("qwertyuiop", 16), ("asdfghjkl", 30), ("zxcvbnm", 44)]
    var codes: [Character: Int32] = [" ": 57]
    for (row, first) in rows {
      for (index, letter) in row.enumerated() { codes[letter] = first + Int32(index) }
    }
    return codes
  }()

  /// Types lower-case letters and spaces, then Enter.
  func type(line: String) throws {
    for letter in line {
      guard let code = UinputKeyboard.letters[letter] else { throw LabError("no key for \(letter)") }
      try tap([code])
    }
    try tap([.enter])
  }

  /// Presses keys one after the other, and releases them.
  func tap(_ keys: [Key]) throws { try tap(keys.map(\.rawValue)) }

  private func tap(_ codes: [Int32]) throws {
    for code in codes { try send(code, down: true) }
    for code in codes.reversed() { try send(code, down: false) }
  }

  private func send(_ code: Int32, down: Bool) throws {
    let raw = device.raw
    let (key, report): (Int32, Int32) = (1, 0)
    try check("write", "uinput") { cuinput_send(raw, key, code, down ? 1 : 0) }
    try check("write", "uinput") { cuinput_send(raw, report, 0, 0) }
  }
}
