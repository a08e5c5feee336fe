import Glibc
import GraphicsMemory
import LinuxIO
import VhostUserFrontend

/// Our copy of a whole picture by several threads, beside plain memcpy by one. The copies take turns, so that changes
/// of the machine's speed or load affect all of them.
public struct SharedCopyProbe {
  /// The most threads of each kind of copy, the calling one included.
  public let threadCounts: [Int]
  private let rowBytes: Int
  private let height: Int
  private let sources: GuestRAM
  private let targets: GuestRAM
  private let workers: [CopyWorkers]
  private var ledger = CopyLedger()
  private var next = 0
  /// Wall-clock time and pictures: of memcpy first, then of each thread count.
  private var nanoseconds: [UInt64]
  private var pictures: [Int]

  /// Allocates pictures of this size in pixels and writes them once.
  public init(width: Int, height: Int, threadCounts: [Int]) throws(BenchError) {
    self.threadCounts = threadCounts
    rowBytes = width * 4
    self.height = height
    let byteCount = width * height * 4
    sources = try mapped { () throws(SystemError) in try GuestRAM(byteCount: 2 * byteCount) }
    targets = try mapped { () throws(SystemError) in try GuestRAM(byteCount: 4 * byteCount) }
    sources.fill(0, 2 * byteCount, with: 0x55)
    targets.fill(0, 4 * byteCount, with: 0xAA)
    workers = threadCounts.map { CopyWorkers(threadCount: $0) }
    nanoseconds = Array(repeating: 0, count: threadCounts.count + 1)
    pictures = nanoseconds.map { _ in 0 }
  }

  /// Copies in turns for this long, about 10 ms of each kind at a time.
  public mutating func run(milliseconds: UInt64) {
    // The first copy of each starts its threads.
    for kind in nanoseconds.indices { copy(kind) }
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    repeat {
      for kind in nanoseconds.indices {
        let begun = monotonicNanoseconds()
        var elapsed: UInt64 = 0
        repeat {
          copy(kind)
          pictures[kind] += 1
          elapsed = monotonicNanoseconds() - begun
        } while elapsed < 10_000_000
        nanoseconds[kind] += elapsed
      }
    } while monotonicNanoseconds() < deadline
  }

  /// Wall-clock nanoseconds per picture of plain memcpy.
  public var memcpyNanoseconds: Double { average(0) }

  /// Wall-clock nanoseconds per picture of our copy, by the index in `threadCounts`.
  public func sharedNanoseconds(_ place: Int) -> Double { average(place + 1) }

  private func average(_ kind: Int) -> Double {
    pictures[kind] == 0 ? 0 : Double(nanoseconds[kind]) / Double(pictures[kind])
  }

  private mutating func copy(_ kind: Int) {
    let byteCount = rowBytes * height
    // SAFETY: there are two sources and four targets of `byteCount` bytes.
    guard let from = unsafe sources.bytes.baseAddress, let to = unsafe targets.bytes.baseAddress else { return }
    let source = unsafe from + next % 2 * byteCount
    let target = unsafe to + next % 4 * byteCount
    next += 1
    if kind == 0 {
      unsafe _ = memcpy(target, source, byteCount)
    } else {
      unsafe ledger.copyRows(
        height, rowBytes: rowBytes, from: source, sourceStrideBytes: rowBytes, to: target,
        destinationStrideBytes: rowBytes, workers: workers[kind - 1])
    }
  }
}
