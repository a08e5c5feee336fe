import CLinux
import Glibc
import LinuxIO

/// An open virtual terminal of the kernel: console_ioctl(2).
struct VirtualTerminal: ~Copyable {
  /// What a terminal shows, and how keys reach it.
  struct Modes: Equatable {
    /// KD_TEXT or KD_GRAPHICS.
    var display: Int32
    /// K_UNICODE, K_XLATE, K_OFF, …
    var keyboard: Int32

    /// The kernel draws nothing, and no key has an effect: linux/kd.h.
    static let closed = Modes(display: 1, keyboard: 4)
    /// A text console, as after the kernel's start.
    static let text = Modes(display: 0, keyboard: 3)

    /// Whether the kernel draws no text.
    var isGraphics: Bool { display == 1 }
    /// Whether keys have no effect.
    var isKeyboardOff: Bool { keyboard == 4 }
  }

  /// N of /dev/ttyN.
  let number: Int
  let fd: OwnedFD

  /// Opens /dev/ttyN, which creates the terminal if it does not exist.
  init(_ number: Int) throws(SystemError) {
    self.number = number
    fd = try OwnedFD.open("/dev/tty\(number)", flags: O_RDWR | O_NOCTTY)
  }

  /// A terminal that is already open.
  init(_ number: Int, taking fd: consuming OwnedFD) {
    self.number = number
    self.fd = fd
  }

  /// The number of the active terminal.
  static func active() throws(SystemError) -> Int {
    let console = try OwnedFD.open("/dev/tty0", flags: O_RDWR | O_NOCTTY)
    let raw = console.raw
    return Int(try check("ioctl(VT_GETSTATE)", "/dev/tty0") { clinux_vt_active(raw) })
  }

  /// The number of a terminal that no process has open; nil without one.
  ///
  /// From 7 on, as for graphics elsewhere: login shells are on the first six.
  static func unused() throws(SystemError) -> Int? {
    let console = try OwnedFD.open("/dev/tty0", flags: O_RDWR | O_NOCTTY)
    let raw = console.raw
    let open = try check("ioctl(VT_GETSTATE)", "/dev/tty0") { clinux_vt_open_set(raw) }
    let active = try check("ioctl(VT_GETSTATE)", "/dev/tty0") { clinux_vt_active(raw) }
    if let number = (7...15).first(where: { open >> Int32($0) & 1 == 0 && $0 != Int(active) }) { return number }
    let number = try check("ioctl(VT_OPENQRY)", "/dev/tty0") { clinux_vt_unused(raw) }
    return number > 0 ? Int(number) : nil
  }

  /// The numbers of the terminals that exist.
  static func existing() -> [Int] {
    ((try? LinuxFile.list("/dev")) ?? []).compactMap { $0.hasPrefix("vcs") ? Int($0.dropFirst(3)) : nil }.sorted()
  }

  func modes() throws(SystemError) -> Modes {
    let raw = fd.raw
    var modes = Modes.text
    try check("ioctl(KDGETMODE)", "/dev/tty\(number)") {
      unsafe clinux_vt_modes(raw, &modes.display, &modes.keyboard)
    }
    return modes
  }

  func set(_ modes: Modes) throws(SystemError) {
    let raw = fd.raw
    try check("ioctl(KDSETMODE)", "/dev/tty\(number)") { clinux_vt_set_modes(raw, modes.display, modes.keyboard) }
  }

  /// Has the kernel ask this process at switches, by these signals.
  func askAtSwitches(release: Int32, acquire: Int32) throws(SystemError) {
    let raw = fd.raw
    try check("ioctl(VT_SETMODE)", "/dev/tty\(number)") { clinux_vt_ask(raw, release, acquire) }
  }

  /// Has the kernel switch without asking.
  func doNotAsk() throws(SystemError) { try askAtSwitches(release: 0, acquire: 0) }

  /// Allows a switch that the kernel has asked about.
  func release() { _ = clinux_vt_release(fd.raw) }

  /// Confirms that the terminal is active again.
  func confirmAcquired() { _ = clinux_vt_acquired(fd.raw) }

  /// Asks for a switch to a terminal.
  func activate(_ number: Int) throws(SystemError) {
    let raw = fd.raw
    try check("ioctl(VT_ACTIVATE)", "tty\(number)") { clinux_vt_activate(raw, Int32(number)) }
  }

  /// Waits until `isDone` is true of the active terminal's number.
  ///
  /// - Returns: false after that time.
  static func waitForSwitch(milliseconds: UInt64, until isDone: (Int) -> Bool) throws(SystemError) -> Bool {
    // The kernel reports a change of this file's content as an error condition: sysfs(5).
    let file = try OwnedFD.open("/sys/class/tty/tty0/active", flags: O_RDONLY)
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while true {
      var byte: UInt8 = 0
      _ = unsafe pread(file.raw, &byte, 1, 0)
      if isDone(try active()) { return true }
      let now = monotonicNanoseconds()
      if now >= deadline { return false }
      _ = try waitUntilReady(
        file.raw, .failed, timeoutMilliseconds: Int32(clamping: (deadline - now + 999_999) / 1_000_000))
    }
  }
}
