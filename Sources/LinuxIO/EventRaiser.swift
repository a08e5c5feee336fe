import CLinux
import Glibc

/// Raises eventfds that others also own, and never waits.
///
/// A write to an eventfd waits while its counter is full, and O_NONBLOCK does not help: it is a flag of the open file,
/// which every owner can clear. The kernel's own raise, here at the end of an asynchronous read, leaves a full counter
/// full.
public final class EventRaiser {
  private let context: UInt64
  private let nullDevice: OwnedFD

  /// - Throws: if the kernel has no asynchronous I/O, or has reached fs.aio-max-nr.
  public init() throws(SystemError) {
    nullDevice = try OwnedFD.open("/dev/null", flags: O_RDONLY)
    var made: UInt64 = 0
    let code = unsafe clinux_raiser_open(&made)
    guard code == 0 else { throw SystemError(call: "io_setup", code: code) }
    context = made
  }

  deinit { clinux_raiser_close(context) }

  /// Adds one to an eventfd; does nothing for another file.
  ///
  /// The corresponding system call is `io_submit`.
  public func raise(_ event: Int32) { _ = clinux_raise(context, nullDevice.raw, event) }
}
