import Glibc
import LinuxIO

/// What a worker asks its launcher for: one byte, on a SOCK_SEQPACKET pair. Nothing else is read from a worker.
enum WorkerRequest: UInt8 {
  /// A connection to the daemon. Answered by an errno of four bytes; 0 comes with the socket.
  case daemon = 0x64
  /// The frontend's socket, now that the worker can serve it. It comes on the second pair.
  case frontend = 0x66
  /// The worker has clients that would not survive another one.
  case serving = 0x73
  /// A link to the memory that comes with the request. Answered by an errno of four bytes.
  case link = 0x6C
}

/// The numbers of a worker's descriptors.
enum WorkerDescriptor {
  /// For requests and their answers.
  static let requests: Int32 = 3
  /// From which the frontend's socket comes.
  static let frontend: Int32 = 4
  /// Where a violation of the sandbox is reported.
  static let report: Int32 = 5
  /// All from here on are the launcher's.
  static let firstForeign: UInt32 = 6
}

/// A worker's command line: the launcher's with one more option.
enum WorkerCommand {
  /// The option, whose value is the launcher's process id.
  static let option = "--worker"

  /// The program with its arguments, as the kernel knows them: also one that a dynamic linker was asked to run.
  static func make() throws(SystemError) -> ChildCommand {
    let bytes = try LinuxFile.read("/proc/self/cmdline")
    let words = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
    // The link's target has the program's name, which a process list shows; the link itself also works after an upgrade
    // has replaced the file.
    let target = LinuxFile.linkTarget("/proc/self/exe") ?? ""
    let program = LinuxFile.isAccessible(target, .execute) ? target : "/proc/self/exe"
    var command = ChildCommand(program, Array(words.dropFirst()) + [option, "\(currentProcessID())"])
    command.input = .null
    command.output = .inherit
    command.error = .inherit
    return command
  }
}
