import LinuxIO
import Synchronization

/// Threads that help with large copies.
///
/// The calling thread divides a copy into pieces of whole rows, wakes the helpers, and copies pieces too: each thread
/// takes the next piece when it is ready. A helper that gets a processor too late finds no piece left, so a busy host
/// costs only the wake-up; if sharing gains nothing, copies stay on the calling thread (`WorkerGauge`).
///
/// Helpers start with the first large copy, sleep on a futex between copies, block all signals, allocate nothing, and
/// touch only the memory of the copy. When a copy returns, no helper touches that memory any more. The helpers end with
/// the last reference to this object.
///
/// Owned by one thread: one copy at a time.
@safe public final class CopyWorkers {
  /// Smaller copies, in bytes, stay on the calling thread.
  public static let thresholdBytes = 512 << 10
  /// The most threads for one copy, including the calling one.
  public static let maxThreadCount = 8
  /// The approximate size of a piece in bytes: small enough that the wait for the last one is short.
  static let pieceBytes = 256 << 10

  /// The most threads for copies of this object, including the calling one.
  public let threadCount: Int
  private let shared = SharedCopy()
  private var helpers: [WorkerThread] = []
  private var isStarted = false
  private var gauge: WorkerGauge?

  /// Workers that use the processors available to the calling thread, at most 8.
  public convenience init() {
    self.init(threadCount: min(WorkerThread.availableProcessorCount, CopyWorkers.maxThreadCount))
  }

  /// Workers with that many threads, including the calling one; at least 1.
  ///
  /// - Parameter isAdaptive: false to share every large copy, even if that gains nothing.
  public init(threadCount: Int, isAdaptive: Bool = true) {
    self.threadCount = max(threadCount, 1)
    gauge = isAdaptive ? WorkerGauge() : nil
  }

  deinit {
    if helpers.isEmpty { return }
    shared.stop()
    helpers.removeAll()
  }

  /// Copies everything; on the calling thread alone if that is as fast.
  func perform(_ job: CopyJob) -> CopyTally {
    let byteCount = unsafe job.byteCount
    guard byteCount >= CopyWorkers.thresholdBytes, threadCount > 1, gauge?.isSharingNext() != false else {
      return unsafe job.copy(0..<job.rowCount)
    }
    start()
    let rowsPerPiece = unsafe max(1, CopyWorkers.pieceBytes / job.rowBytes)
    let pieceCount = unsafe (job.rowCount + rowsPerPiece - 1) / rowsPerPiece
    let helperCount = min(helpers.count, pieceCount - 1)
    guard helperCount > 0 else { return unsafe job.copy(0..<job.rowCount) }
    let begun = monotonicNanoseconds()
    unsafe shared.begin(job, rowsPerPiece: rowsPerPiece, pieceCount: pieceCount, helperCount: helperCount)
    let ownBegun = monotonicNanoseconds()
    let own = shared.copyPieces()
    let ownEnd = monotonicNanoseconds()
    let total = shared.end(own)
    gauge?.note(
      totalBytes: byteCount, ownBytes: own.bytes, ownNanoseconds: ownEnd - ownBegun,
      totalNanoseconds: monotonicNanoseconds() - begun)
    return total
  }

  private func start() {
    if isStarted { return }
    isStarted = true
    // SAFETY: a helper ends before `shared` does: `deinit` joins it.
    let context = unsafe Unmanaged.passUnretained(shared).toOpaque()
    for _ in 1..<threadCount {
      // A process that cannot create more threads uses fewer.
      guard let helper = try? unsafe WorkerThread(name: "framepath-copy", context: context, helpWithCopies)
      else { break }
      helpers.append(helper)
    }
  }
}

/// The thread function of a helper: its context is the `SharedCopy`, which outlives it.
private func helpWithCopies(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context = unsafe context else { return nil }
  unsafe Unmanaged<SharedCopy>.fromOpaque(context).takeUnretainedValue().help()
  return nil
}

/// The copy that the calling thread shares with its helpers, one at a time.
///
/// The gate keeps helpers out of a finished copy: a helper enters while it is open, and the calling thread closes it
/// and waits until all helpers have left before it returns. Only the calling thread writes the copy's description,
/// while the gate is closed and no helper is inside.
@safe private final class SharedCopy: @unchecked Sendable {
  /// Copies may be joined.
  private static let open: UInt32 = 1 << 31
  /// The calling thread sleeps until all helpers have left.
  private static let isAwaited: UInt32 = 1 << 30
  /// How often the calling thread spins before it sleeps: about 10 µs.
  private static let spinCount = 500

  /// Rises with every copy, and at the end.
  private let generation = Futex()
  /// `open`, `isAwaited`, and how many helpers are inside.
  private let gate = Futex()
  private let nextPiece = Atomic<Int>(0)
  private let helpedBytes = Atomic<Int>(0)
  private let helpedCalls = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private var job: CopyJob?
  private var rowsPerPiece = 1
  private var pieceCount = 0

  // MARK: The calling thread

  func begin(_ job: CopyJob, rowsPerPiece: Int, pieceCount: Int, helperCount: Int) {
    unsafe self.job = job
    self.rowsPerPiece = rowsPerPiece
    self.pieceCount = pieceCount
    nextPiece.store(0, ordering: .relaxed)
    helpedBytes.store(0, ordering: .relaxed)
    helpedCalls.store(0, ordering: .relaxed)
    // Publishes everything above to the helpers that enter.
    gate.store(SharedCopy.open)
    generation.add(1)
    generation.wake(helperCount)
  }

  /// Waits for the pieces that helpers have taken; returns the whole copy's tally.
  func end(_ own: CopyTally) -> CopyTally {
    // Acquires the writes of the helpers that have left.
    gate.remove(SharedCopy.open)
    var spins = 0
    while gate.load() != 0 {
      spins += 1
      if spins < SharedCopy.spinCount { continue }
      let state = gate.insert(SharedCopy.isAwaited)
      if state == SharedCopy.isAwaited { break }
      gate.wait(while: state)
    }
    gate.store(0)
    unsafe job = nil
    var total = own
    total += CopyTally(
      bytes: helpedBytes.load(ordering: .relaxed), calls: helpedCalls.load(ordering: .relaxed))
    return total
  }

  func stop() {
    isStopping.store(true, ordering: .releasing)
    generation.add(1)
    generation.wake(.max)
  }

  // MARK: Any thread

  /// Takes pieces and copies them until none are left.
  func copyPieces() -> CopyTally {
    var tally = CopyTally()
    guard let job = unsafe job else { return tally }
    while true {
      let piece = nextPiece.wrappingAdd(1, ordering: .relaxed).oldValue
      if piece >= pieceCount { return tally }
      let first = piece * rowsPerPiece
      tally += unsafe job.copy(first..<min(first + rowsPerPiece, job.rowCount))
    }
  }

  // MARK: A helper

  func help() {
    var seen: UInt32 = 0
    while true {
      generation.wait(while: seen)
      let now = generation.load()
      if now == seen { continue }
      seen = now
      if isStopping.load(ordering: .acquiring) { return }
      guard enter() else { continue }
      let tally = copyPieces()
      helpedBytes.wrappingAdd(tally.bytes, ordering: .relaxed)
      helpedCalls.wrappingAdd(tally.calls, ordering: .relaxed)
      leave()
    }
  }

  /// Returns false if the copy is finished.
  private func enter() -> Bool {
    var state = gate.load()
    while state & SharedCopy.open != 0 {
      let before = gate.exchange(state, for: state + 1)
      if before == state { return true }
      state = before
    }
    return false
  }

  private func leave() {
    // Publishes the copied bytes to the calling thread.
    let state = gate.subtract(1)
    if state == SharedCopy.isAwaited { gate.wake(1) }
  }
}
