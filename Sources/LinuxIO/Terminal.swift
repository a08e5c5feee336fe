import Glibc

/// The terminal on standard input and output, in a mode in which each key is delivered at once.
///
/// `restore`, or the last reference to this object, restores the former mode.
public final class Terminal {
  private var former = termios()
  private var isRaw = false

  /// Takes over the terminal; nil if standard input or output is not one.
  ///
  /// The corresponding C functions are `tcgetattr` and `tcsetattr`. Keys still raise signals (^C, ^Z).
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

  /// Restores the former mode; doing so twice is harmless.
  public func restore() {
    guard isRaw else { return }
    isRaw = false
    _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &former)
  }

  /// The height in rows; nil if it is unknown.
  ///
  /// The corresponding C function is `ioctl(TIOCGWINSZ)`.
  public var rows: Int? {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }

  /// The descriptor to wait for keys.
  public var descriptor: Int32 { STDIN_FILENO }

  /// The keys pressed since the last call; nil at the end of the input.
  public func keys() -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(STDIN_FILENO, &bytes, bytes.count)
    if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
    return Array(bytes.prefix(count))
  }
}
