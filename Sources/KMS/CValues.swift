import CDRM
import Glibc

/// The calling thread's errno.
func errorNumber() -> Int32 { errno }

/// The text in a fixed C array of 32 characters; the terminating zero may be missing.
func fixedText<Tuple>(_ field: Tuple) -> String {
  // SAFETY: the value is a tuple of bytes, read within its size.
  unsafe withUnsafeBytes(of: field) { bytes in
    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

/// A copy of a C array of ids; empty for a null pointer.
func ids(_ pointer: UnsafeMutablePointer<UInt32>?, _ count: Int) -> [UInt32] {
  guard let pointer = unsafe pointer else { return [] }
  // SAFETY: libdrm allocated `count` elements.
  return unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
}
