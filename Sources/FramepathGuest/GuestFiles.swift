import CLinux
import Glibc
import LinuxIO

/// The corresponding C function is `write`.
func clibWrite(_ fd: Int32, _ text: String, _ count: Int) -> Int { unsafe write(fd, text, count) }

/// Takes the exclusive lock of a file; false if another process holds it. The kernel drops it with the last descriptor
/// of this open file.
///
/// The corresponding C function is `flock(LOCK_EX | LOCK_NB)`.
func lockExclusively(_ fd: Int32) throws(SystemError) -> Bool {
  do throws(SystemError) {
    try check("flock") { flock(fd, LOCK_EX | LOCK_NB) }
    return true
  } catch {
    guard error.code == EWOULDBLOCK else { throw error }
    return false
  }
}

/// Sleeps; a signal may end it early.
func sleepNanoseconds(_ count: UInt64) {
  var time = timespec(tv_sec: Int(count / 1_000_000_000), tv_nsec: Int(count % 1_000_000_000))
  unsafe nanosleep(&time, nil)
}

/// `open` flags.
enum OpenFlags {
  static let readWrite = O_RDWR
  /// For device registers: every access reaches the device.
  static let registers = O_RDWR | O_SYNC
}

/// A file's size in bytes.
///
/// The corresponding C function is `lseek(SEEK_END)`.
func fileByteCount(_ fd: Int32) throws(SystemError) -> Int { try check("lseek") { lseek(fd, 0, SEEK_END) } }
