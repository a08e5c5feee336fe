import CLinux
import Glibc

/// The two ends of a child's stream; only a piped stream has an end in this process.
final class ChildStreamEnds {
  let childEnd: SharedFD
  private var parentEnd: OwnedFD?

  init(child: consuming OwnedFD, parent: consuming OwnedFD?) {
    childEnd = SharedFD(child)
    parentEnd = parent
  }

  /// Returns this process's end, once.
  func takeParentEnd() -> OwnedFD? { parentEnd.take() }

  /// Returns this process's end as a socket, once.
  func takeParentSocket() -> UnixSocket? {
    guard let end = parentEnd.take() else { return nil }
    return UnixSocket(taking: end)
  }
}

extension ChildProcess {
  /// A piped input is a socket pair: writing to a socket does not raise SIGPIPE.
  static func input(_ stream: ChildStream) throws(SystemError) -> ChildStreamEnds {
    guard case .pipe = stream else { return try unpiped(stream, standard: STDIN_FILENO) }
    var numbers: (Int32, Int32) = (-1, -1)
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let result = unsafe withUnsafeMutableBytes(of: &numbers) { bytes in
      unsafe socketpair(AF_UNIX, type, 0, bytes.bindMemory(to: Int32.self).baseAddress)
    }
    guard result == 0 else { throw SystemError(call: "socketpair", code: errno) }
    return ChildStreamEnds(child: OwnedFD(taking: numbers.0), parent: OwnedFD(taking: numbers.1))
  }

  static func output(_ stream: ChildStream, standard: Int32) throws(SystemError) -> ChildStreamEnds {
    guard case .pipe = stream else { return try unpiped(stream, standard: standard) }
    var numbers: (Int32, Int32) = (-1, -1)
    let result = unsafe withUnsafeMutableBytes(of: &numbers) { bytes in
      unsafe clinux_pipe2(bytes.bindMemory(to: Int32.self).baseAddress, O_CLOEXEC)
    }
    guard result == 0 else { throw SystemError(call: "pipe2", code: errno) }
    let readEnd = OwnedFD(taking: numbers.0)
    let writeEnd = OwnedFD(taking: numbers.1)
    try readEnd.setNonblocking()
    return ChildStreamEnds(child: writeEnd, parent: readEnd)
  }

  private static func unpiped(_ stream: ChildStream, standard: Int32) throws(SystemError) -> ChildStreamEnds {
    let isInput = standard == STDIN_FILENO
    switch stream {
    case .null, .pipe:
      return ChildStreamEnds(child: try .open("/dev/null", flags: isInput ? O_RDONLY : O_WRONLY), parent: nil)
    case .file(let path):
      let flags = isInput ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND
      return ChildStreamEnds(child: try .open(path, flags: flags, mode: 0o644), parent: nil)
    case .inherit: return ChildStreamEnds(child: try duplicate(standard), parent: nil)
    case .descriptor(let number): return ChildStreamEnds(child: try duplicate(number), parent: nil)
    }
  }

  private static func duplicate(_ number: Int32) throws(SystemError) -> OwnedFD {
    OwnedFD(taking: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
  }
}

/// The text read from a pipe, up to a limit, and the position of the next line.
struct ChildText: ~Copyable {
  private var fd: OwnedFD?
  private var bytes: [UInt8] = []
  private var taken = 0
  private let limit: Int

  init(_ fd: consuming OwnedFD?, limit: Int) {
    self.limit = limit
    guard let end = fd.take() else { return }
    pollNumber = end.raw
    self.fd = consume end
  }

  /// Whether more output may come.
  var isOpen: Bool { pollNumber >= 0 }

  /// The descriptor for `poll`, which ignores -1.
  private(set) var pollNumber: Int32 = -1

  /// All text so far; invalid UTF-8 is replaced.
  var all: String { String(decoding: bytes, as: UTF8.self) }

  /// Reads what is available without waiting.
  mutating func drain() {
    while isOpen {
      let number = pollNumber
      let room = limit - bytes.count
      var count = 0
      let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, filled in
        unsafe count = read(number, buffer.baseAddress, 65_536)
        filled = max(count, 0)
      }
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN { return }
      if count <= 0 {
        fd = nil
        pollNumber = -1
        return
      }
      bytes.append(contentsOf: chunk.prefix(max(room, 0)))
    }
  }

  /// The next line; incomplete lines only at the end.
  mutating func nextLine() -> String? {
    let rest = bytes[taken...]
    if let newline = rest.firstIndex(of: 0x0A) {
      taken = newline + 1
      return String(decoding: rest[..<newline], as: UTF8.self)
    }
    guard !isOpen, !rest.isEmpty else { return nil }
    taken = bytes.count
    return String(decoding: rest, as: UTF8.self)
  }
}
