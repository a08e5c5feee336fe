import CLinux

/// A thread besides the event loop's, for work that touches only the memory passed to it.
///
/// All signals except those of its own faults are blocked in it, so that they reach the thread that waits for them. The
/// owner has its function return before it lets go of the thread.
@safe public final class WorkerThread {
  private let thread: UInt
  private var isDetached = false

  /// Starts a thread that calls `body` with `context`.
  ///
  /// The corresponding C function is `pthread_create`.
  /// - Parameters:
  ///   - name: at most 15 bytes, for `ps` and `top`.
  ///   - context: must stay valid until the thread is joined.
  public init(
    name: String, context: UnsafeMutableRawPointer,
    _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  ) throws(SystemError) {
    var started: UInt = 0
    let code = unsafe clinux_thread_start(&started, name, body, context)
    guard code == 0 else { throw SystemError(call: "pthread_create", code: code, subject: name) }
    thread = started
  }

  /// Waits for the end of the thread.
  ///
  /// The corresponding C function is `pthread_join`.
  deinit { if !isDetached { _ = clinux_thread_join(thread) } }

  /// Lets the thread end by itself, for one that may be in a call without end. Its context must outlive it.
  ///
  /// The corresponding C function is `pthread_detach`.
  public func detach() {
    if !isDetached { _ = clinux_thread_detach(thread) }
    isDetached = true
  }

  /// Processors that the calling thread may run on, at least 1.
  ///
  /// The corresponding C function is `sched_getaffinity`.
  public static var availableProcessorCount: Int { Int(clinux_available_processors()) }
}

/// Gives memory that this process has freed back to the system, on a thread of its own; does not wait.
///
/// The allocator keeps what is freed between objects that are still in use. The corresponding C function is
/// `malloc_trim`.
public func returnFreedMemory() { _ = clinux_return_memory() }
