import CLinux
import Glibc

/// The source or destination of a child's standard stream.
public enum ChildStream: Sendable {
  /// The same as this process's.
  case inherit
  /// /dev/null.
  case null
  /// A pipe or socket to this process, which uses it through `ChildProcess`.
  case pipe
  /// The end of a file, which is created if necessary. For a child whose output is not read.
  case file(String)
  /// An open descriptor, which the caller keeps.
  case descriptor(Int32)
}

/// A program to run, with its arguments and descriptors.
public struct ChildCommand: Sendable {
  /// A path, or a name to search in PATH.
  public var executable: String
  /// The arguments after the program's name.
  public var arguments: [String]
  /// The whole environment; nil to inherit this process's.
  public var environment: [String: String]?
  /// Variables to set on top of the environment.
  public var addedEnvironment: [String: String] = [:]
  /// Standard input; /dev/null by default.
  public var input: ChildStream = .null
  /// Standard output; a pipe by default.
  public var output: ChildStream = .pipe
  /// Standard error; a pipe by default.
  public var error: ChildStream = .pipe
  /// Further descriptors by their number in the child; the caller keeps them. All others are closed if they are
  /// close-on-exec, as all descriptors of this module are.
  public var descriptors: [Int32: Int32] = [:]
  /// Makes the child the leader of a process group, which `terminate` and `kill` then signal as a whole.
  public var leadsGroup = false
  /// The most bytes kept of each piped stream; what follows is read and dropped.
  public var captureLimit = 1 << 20

  /// A program with its arguments.
  public init(_ executable: String, _ arguments: [String] = []) {
    self.executable = executable
    self.arguments = arguments
  }

  /// The command as text, for error messages.
  var words: String { ([executable] + arguments).joined(separator: " ") }

  /// The environment as `NAME=value` strings.
  private var environmentStrings: [String] {
    var variables = environment ?? ChildCommand.inheritedEnvironment
    variables.merge(addedEnvironment) { _, added in added }
    return variables.map { "\($0.key)=\($0.value)" }.sorted()
  }

  /// This process's environment.
  public static var inheritedEnvironment: [String: String] {
    var variables: [String: String] = [:]
    guard var entry = unsafe clinux_environment() else { return [:] }
    while let text = unsafe entry.pointee {
      let parts = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      unsafe entry += 1
    }
    return variables
  }

  /// Starts the program with `targets` (child's number to this process's) as its only descriptors.
  ///
  /// The corresponding C function is `posix_spawnp`. Signals start unblocked and at their defaults.
  func spawn(targets: [Int32: Int32]) throws(SystemError) -> Int32 {
    // Move sources above every target first, so that no dup2 overwrites a source that is still needed.
    let firstFree = max((targets.keys.max() ?? 2) + 1, 3)
    var sources: [SharedFD] = []
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    try ChildCommand.checkCode("posix_spawn_file_actions_init") { unsafe posix_spawn_file_actions_init(&actions) }
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    try ChildCommand.checkCode("posix_spawnattr_init") { unsafe posix_spawnattr_init(&attributes) }
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    for (target, source) in targets {
      let moved = OwnedFD(
        taking: try check("fcntl(F_DUPFD_CLOEXEC)", "descriptor \(source)") {
          fcntl(source, F_DUPFD_CLOEXEC, firstFree)
        })
      let raw = moved.raw
      sources.append(SharedFD(moved))
      try ChildCommand.checkCode("posix_spawn_file_actions_adddup2") {
        unsafe posix_spawn_file_actions_adddup2(&actions, raw, target)
      }
    }
    try setAttributes(&attributes)
    var pid: Int32 = 0
    let code = unsafe ChildCommand.withCStrings([executable] + arguments) { argv in
      unsafe ChildCommand.withCStrings(environmentStrings) { environment in
        unsafe posix_spawnp(&pid, executable, &actions, &attributes, argv, environment)
      }
    }
    withExtendedLifetime(sources) {}
    guard code == 0 else { throw SystemError(call: "starting", code: code, subject: executable) }
    return pid
  }

  private func setAttributes(_ attributes: inout posix_spawnattr_t) throws(SystemError) {
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    if leadsGroup {
      flags |= Int32(POSIX_SPAWN_SETPGROUP)
      unsafe posix_spawnattr_setpgroup(&attributes, 0)
    }
    try ChildCommand.checkCode("posix_spawnattr_setflags") {
      unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    }
  }

  /// The `posix_spawn` family returns its error instead of setting errno.
  private static func checkCode(_ call: String, _ body: () -> Int32) throws(SystemError) {
    let code = body()
    if code != 0 { throw SystemError(call: call, code: code) }
  }

  /// Calls `body` with a null-terminated array of C strings.
  private static func withCStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe []
    for text in strings { unsafe pointers.append(strdup(text)) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("the terminator is always there") }
      return unsafe body(base)
    }
  }
}
