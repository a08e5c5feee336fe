import Glibc

/// Sleeps; a signal may end it early.
///
/// The corresponding C function is `nanosleep`.
func pause(nanoseconds: UInt64) {
  var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
  unsafe nanosleep(&time, nil)
}
