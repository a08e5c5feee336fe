import CLinux
import Glibc
import Synchronization

/// Closes other processes' descriptors on threads of its own.
///
/// `close` may wait for as long as another owner of the file wants: a socket with SO_LINGER, a file of a FUSE file
/// system, a socket with such descriptors in unread messages. A wait that a signal can end is ended after a while. A
/// longer one keeps its thread; then another thread closes the next descriptor, up to a limit.
public final class DescriptorCloser: Sendable {
  /// The most threads for descriptors whose `close` may wait for others.
  public static let threadLimit = 8

  private let waits: ClosingQueue
  private let memory: ClosingQueue
  /// Memory's descriptors until the end of the round.
  private let held = Mutex<[ClosingQueue.Job]>([])
  private let isHolding = Atomic(false)

  /// Whether files are told apart by /proc; else all but memory may wait for others.
  fileprivate let looksAtFiles: Bool

  /// - Parameters:
  ///   - patienceMilliseconds: how long `close` may wait if a signal can end the wait.
  ///   - looksAtFiles: whether this process may read in /proc, to tell which files cannot wait.
  public init(patienceMilliseconds: Int32 = 100, looksAtFiles: Bool = true) {
    self.looksAtFiles = looksAtFiles
    waits = ClosingQueue(name: "fp-close", threadLimit: DescriptorCloser.threadLimit, patienceMilliseconds)
    memory = ClosingQueue(name: "fp-free", threadLimit: 1, patienceMilliseconds)
  }

  /// Lets the threads end once all descriptors are closed; does not wait for them.
  deinit {
    endRound()
    waits.end()
    memory.end()
  }

  /// Closes the memory files whose owners have let go of them; call it before each wait of the loop.
  ///
  /// The pages of a file are freed, for a second if it is large, by the thread that drops the last descriptor or
  /// mapping of it. Until the end of the round the mappings are gone too, so that this is not the loop's thread.
  public func endRound() {
    guard isHolding.exchange(false, ordering: .acquiring) else { return }
    let jobs = held.withLock { jobs in
      defer { jobs = [] }
      return jobs
    }
    memory.add(jobs)
  }

  fileprivate func close(_ number: Int32, of account: DescriptorAccount, mayWait: Bool, isConnection: Bool) {
    let job = ClosingQueue.Job(number: number, account: account, isCounted: mayWait, isConnection: isConnection)
    if mayWait { return waits.add([job]) }
    held.withLock { $0.append(job) }
    isHolding.store(true, ordering: .releasing)
  }
}

/// Descriptors that one sender made: those that are open, and those whose `close` has not returned.
public final class DescriptorAccount: Sendable {
  private let closer: DescriptorCloser
  private let group: DescriptorAccount?
  private let open = Atomic<Int>(0)
  private let leaving = Atomic<Int>(0)
  private let closing = Atomic<Int>(0)

  /// - Parameter group: also counts the descriptors of this account.
  public init(_ closer: DescriptorCloser, in group: DescriptorAccount? = nil) {
    self.closer = closer
    self.group = group
  }

  /// An account whose descriptors are counted here too.
  public func subaccount() -> DescriptorAccount { DescriptorAccount(closer, in: self) }

  /// The number of open descriptors, including those that are being closed.
  public var openCount: Int { open.load(ordering: .relaxed) }

  /// The number of open descriptors without those that are being closed.
  public var heldCount: Int { open.load(ordering: .relaxed) - leaving.load(ordering: .relaxed) }

  /// The number of descriptors that are being closed, of kinds whose `close` may wait for others.
  public var closingCount: Int { closing.load(ordering: .relaxed) }

  /// Counts descriptors that were received, or given up.
  func took(_ count: Int) {
    open.wrappingAdd(count, ordering: .relaxed)
    group?.took(count)
  }

  /// Closes a counted descriptor: at once if that cannot wait for others, else on another thread.
  func close(_ number: Int32, isLocal: Bool = false, isConnection: Bool = false) {
    if isLocal {
      _ = Glibc.close(number)
      return took(-1)
    }
    if isConnection {
      willClose(1)
      return closeLater(number, mayWait: true, isConnection: true)
    }
    // Only memory files of the kernel itself have seals.
    if MemFD.seals(of: number) != nil { return closeLater(number, mayWait: false) }
    switch closer.looksAtFiles ? AnonymousFile(of: number) : nil {
    case .eventFD, .syncFile, .syncObject:
      _ = Glibc.close(number)
      took(-1)
    case .dmaBuf: closeLater(number, mayWait: false)
    case nil:
      willClose(1)
      closeLater(number, mayWait: true)
    }
  }

  private func closeLater(_ number: Int32, mayWait: Bool, isConnection: Bool = false) {
    leaving.wrappingAdd(1, ordering: .relaxed)
    closer.close(number, of: self, mayWait: mayWait, isConnection: isConnection)
  }

  private func willClose(_ count: Int) {
    closing.wrappingAdd(count, ordering: .relaxed)
    group?.willClose(count)
  }

  fileprivate func closed(wasCounted: Bool) {
    if wasCounted { willClose(-1) }
    leaving.wrappingSubtract(1, ordering: .relaxed)
    took(-1)
  }
}

/// Descriptors that this process opened for a sender, counted as long as this object exists.
public final class DescriptorHold: Sendable {
  private let account: DescriptorAccount
  private let count: Int

  /// Counts that many descriptors.
  public init(_ count: Int = 1, for account: DescriptorAccount) {
    self.account = account
    self.count = count
    account.took(count)
  }

  deinit { account.took(-count) }
}

/// Descriptors that wait for a thread to close them. Its threads hold it until it has ended.
private final class ClosingQueue: Sendable {
  struct Job {
    let number: Int32
    let account: DescriptorAccount
    let isCounted: Bool
    let isConnection: Bool
  }

  private struct State {
    var jobs: [Job] = []
    /// The jobs before this one are done.
    var first = 0
    var threadCount = 0
    var idleCount = 0
    var hasEnded = false

    mutating func next() -> Job? {
      guard first < jobs.count else { return nil }
      let job = jobs[first]
      first += 1
      if first == jobs.count {
        jobs.removeAll(keepingCapacity: true)
        first = 0
      }
      return job
    }
  }

  private let name: String
  private let threadLimit: Int
  private let patienceMilliseconds: Int32
  private let state = Mutex(State())
  /// Changes with every job, and at the end.
  private let changes = Futex()

  init(name: String, threadLimit: Int, _ patienceMilliseconds: Int32) {
    self.name = name
    self.threadLimit = threadLimit
    self.patienceMilliseconds = patienceMilliseconds
  }

  func add(_ jobs: [Job]) {
    let needsThread = state.withLock { state in
      state.jobs += jobs
      guard state.idleCount < state.jobs.count - state.first, state.threadCount < threadLimit else { return false }
      state.threadCount += 1
      return true
    }
    changes.add(1)
    changes.wake(1)
    if needsThread { startThread() }
  }

  func end() {
    state.withLock { $0.hasEnded = true }
    changes.add(1)
    changes.wake(.max)
  }

  private func startThread() {
    let context = unsafe Unmanaged.passRetained(self).toOpaque()
    do throws(SystemError) {
      let thread = try unsafe WorkerThread(name: name, context: context) { context in
        if let context = unsafe context {
          // SAFETY: the reference that `startThread` took for this thread.
          unsafe Unmanaged<ClosingQueue>.fromOpaque(context).takeRetainedValue().work()
        }
        return nil
      }
      thread.detach()
    } catch {
      // No thread was started. If there is none at all, the descriptors wait for the next attempt.
      unsafe Unmanaged<ClosingQueue>.fromOpaque(context).release()
      state.withLock { $0.threadCount -= 1 }
    }
  }

  private func work() {
    var timer: Int = 0
    let hasTimer = unsafe clinux_interrupter_create(&timer) == 0
    defer { if hasTimer { clinux_interrupter_delete(timer) } }
    while true {
      let seen = changes.load()
      let (job, hasEnded) = state.withLock { state in
        let job = state.next()
        if job == nil { state.idleCount += 1 }
        return (job, state.hasEnded)
      }
      if let job {
        // The peer of a connection that is closed with unread messages gets ECONNRESET before the answer to them.
        if hasTimer {
          clinux_interrupted_close(timer, job.number, job.isConnection ? 1 : 0, patienceMilliseconds)
        } else if job.isConnection {
          clinux_connection_close(job.number)
        } else {
          close(job.number)
        }
        job.account.closed(wasCounted: job.isCounted)
        continue
      }
      if hasEnded { return }
      changes.wait(while: seen)
      state.withLock { $0.idleCount -= 1 }
    }
  }
}
