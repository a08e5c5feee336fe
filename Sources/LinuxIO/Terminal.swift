import Glibc

/// The terminal behind standard input and output, in the mode where each key comes by itself.
///
/// The former mode comes back with `restore` or with the last reference.
public final class Terminal {
  private var former = termios()
  private var isRaw = false

  /// Takes the terminal over; nil where standard input or output is none.
  ///
  /// The corresponding C functions are `tcgetattr` and `tcsetattr`. Signals by keys (^C, ^Z) stay what they are.
  public init?() {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
    guard unsafe tcgetattr(STDIN_FILENO, &former) == 0 else { return nil }
    var mode = former
    mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
    unsafe withUnsafeMutableBytes(of: &mode.c_cc) { keys in
      unsafe keys[Int(VMIN)] = 0
      unsafe keys[Int(VTIME)] = 0
    }
    guard unsafe tcsetattr(STDIN_FILENO, TCSANOW, &mode) == 0 else { return nil }
    isRaw = true
  }

  deinit { restore() }

  /// Gives the terminal its former mode back; doing so twice is harmless.
  public func restore() {
    guard isRaw else { return }
    isRaw = false
    _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &former)
  }

  /// Its height in rows; nil where it does not say.
  ///
  /// The corresponding C function is `ioctl(TIOCGWINSZ)`.
  public var rows: Int? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }

  /// For waiting.
  public var descriptor: Int32 { STDIN_FILENO }

  /// The keys that were pressed since; nil at the terminal's end.
  public func keys() -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(STDIN_FILENO, &bytes, bytes.count)
    if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
    return Array(bytes.prefix(count))
  }
}
