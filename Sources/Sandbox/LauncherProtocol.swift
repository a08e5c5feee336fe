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

/// A worker's command line: the launcher's arguments, then its own. `option` comes last.
enum WorkerCommand {
  /// The option, whose value is the launcher's process id.
  static let option = "--worker"

  /// The program with its arguments.
  static func make(adding more: [String]) throws(SystemError) -> ChildCommand {
    try OwnProgram.command(adding: more + [option, "\(currentProcessID())"])
  }
}
