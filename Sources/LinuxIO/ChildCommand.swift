import CLinux
import Glibc

/// Where a child's standard input, output or error goes.
public enum ChildStream: Sendable {
  /// To where this process's goes.
  case inherit
  /// To /dev/null.
  case null
  /// To this process, which reads or writes it through `ChildProcess`.
  case pipe
  /// To the end of a file, made where there is none. For a child that says more than anybody reads.
  case file(String)
  /// To an open descriptor, which stays the caller's.
  case descriptor(Int32)
}

/// A program to run, and what it is given.
public struct ChildCommand: Sendable {
  /// A path, or a name that is looked for in PATH.
  public var executable: String
  /// The arguments after the program's name.
  public var arguments: [String]
  /// The whole environment; nil hands this process's down.
  public var environment: [String: String]?
  /// Variables to set on top of the environment.
  public var addedEnvironment: [String: String] = [:]
  /// Standard input; nothing by default.
  public var input: ChildStream = .null
  /// Standard output; read by this process by default.
  public var output: ChildStream = .pipe
  /// Standard error; read by this process by default.
  public var error: ChildStream = .pipe
  /// Further descriptors by the number that the child sees; they stay the caller's. All others are closed if they are
  /// close-on-exec, which every descriptor made by this module is.
  public var descriptors: [Int32: Int32] = [:]
  /// Makes the child the leader of a process group, which `terminate` and `kill` then signal as a whole.
  public var leadsGroup = false
  /// The most bytes kept of each piped stream; what comes after them is read and dropped.
  public var captureLimit = 1 << 20

  /// A program with its arguments.
  public init(_ executable: String, _ arguments: [String] = []) {
    self.executable = executable
    self.arguments = arguments
  }

  /// The words for an error message.
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
    // Sources are moved above every target first, so that no dup2 overwrites a source that is still needed.
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
