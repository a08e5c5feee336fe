import LinuxIO

/// Counts a child process's copies by `memcpy` and `memmove` with the interposed `libframepath-copy-counter.so`.
///
/// Independent of the copy ledger.
struct CopyCounter {
  /// Copies from or to shared mappings, which are guest memory and framebuffers.
  struct Counts: Equatable {
    var calls: UInt64 = 0
    var bytes: UInt64 = 0

    static func + (left: Counts, right: Counts) -> Counts {
      Counts(calls: left.calls + right.calls, bytes: left.bytes + right.bytes)
    }

    func since(_ earlier: Counts) -> Counts { Counts(calls: calls - earlier.calls, bytes: bytes - earlier.bytes) }
  }

  private static let magic: UInt64 = 0x3159_4D50_4350_4650
  private let library: String
  private let file: String
  private let minimumBytes: Int
  private let name: String

  /// A counter for one process.
  ///
  /// - Parameters:
  ///   - file: the file that keeps the counts.
  ///   - minimumBytes: smaller copies are not counted.
  ///   - name: the process, for errors.
  init(_ programs: BenchPrograms, file: String, minimumBytes: Int, name: String) throws(BenchError) {
    library = try programs.path("libframepath-copy-counter.so")
    self.file = file
    self.minimumBytes = minimumBytes
    self.name = name
  }

  /// The same program, counted.
  func watching(_ command: ChildCommand) -> ChildCommand {
    var command = command
    command.addedEnvironment["LD_PRELOAD"] = library
    command.addedEnvironment["FRAMEPATH_COPY_COUNTER"] = file
    command.addedEnvironment["FRAMEPATH_COPY_MINIMUM"] = "\(minimumBytes)"
    return command
  }

  /// The counts now.
  func read() throws(BenchError) -> Counts {
    let bytes = try mapped { () throws(SystemError) in try LinuxFile.read(file, limit: 56) }
    guard bytes.count == 56 else { throw BenchError("\(name) runs without the copy counter") }
    let words = (0..<7).map { index in
      bytes[(8 * index)..<(8 * index + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
    guard words[0] == CopyCounter.magic else { throw BenchError("\(name) runs without the copy counter") }
    guard words[6] == 0 else { throw BenchError("\(name) has more mappings than the copy counter can hold") }
    return Counts(calls: words[2], bytes: words[3])
  }
}
