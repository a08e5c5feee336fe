import Glibc
import LinuxIO

/// Finds the line at which an assertion of the TOML parser fails, for which it has no error.
///
/// A failed assertion must not return, so the program then starts itself again with the number of lines that failed and
/// the number of lines that did not, until they differ by one.
struct AssertionSearch {
  private static let option = "--lines"

  let path: String
  /// The most lines with which no assertion failed, and the fewest with which one did.
  private var goodCount = 0
  private var badCount: Int?
  /// The number of lines that are being parsed.
  private var triedCount = 0

  /// The search of an earlier start, or a new one; nil if the arguments are neither.
  init?(_ arguments: [String]) {
    if arguments.count == 4, arguments[0] == AssertionSearch.option, let good = Int(arguments[1]),
      let bad = Int(arguments[2])
    {
      (path, goodCount, badCount) = (arguments[3], good, bad)
    } else if arguments.count == 1, !arguments[0].hasPrefix("-") {
      path = arguments[0]
    } else {
      return nil
    }
  }

  /// The line at which an assertion fails; nil if none has failed.
  ///
  /// - Parameter parse: parses the first lines of the file; its errors have no meaning here.
  mutating func badLine(of text: String, _ parse: (String) -> Void) -> Int? {
    guard let badCount else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    while badCount - goodCount > 1 {
      triedCount = goodCount + (badCount - goodCount) / 2
      unsafe current = self
      parse(lines.prefix(triedCount).joined(separator: "\n"))
      goodCount = triedCount
    }
    return badCount
  }

  /// Prepares for a failed assertion while the whole text is parsed.
  mutating func watch(_ text: String) {
    triedCount = text.count { $0 == "\n" } + 1
    unsafe current = self
  }

  fileprivate func startAgain() {
    let arguments = ["framepathd-config", AssertionSearch.option, "\(goodCount)", "\(triedCount)", path]
    var pointers = unsafe arguments.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    unsafe execv("/proc/self/exe", pointers)
  }
}

/// The search that a failed assertion continues; nil outside of `main`, in tests. The program has one thread.
nonisolated(unsafe) private var current: AssertionSearch?

/// Takes the place of the C library's function, which prints to standard error and aborts.
@c(__assert_fail)
public func assertFail(
  _ assertion: UnsafePointer<CChar>?, _ file: UnsafePointer<CChar>?, _ line: UInt32, _ function: UnsafePointer<CChar>?
) -> Never {
  if let search = unsafe current { search.startAgain() }
  let text = unsafe assertion.map { unsafe String(cString: $0) } ?? ""
  writeErrorLine("assertion failed: \(text)")
  abort()
}
