import Glibc
import LinuxIO
import VhostUserFrontend

/// Plain memcpy between two pictures in shared memory and four others in turn: the fastest copy by a CPU, as a
/// reference.
public struct MemcpyProbe {
  private let byteCount: Int
  private let sources: GuestRAM
  private let targets: GuestRAM
  private var next = 0
  private var copiedBytes: UInt64 = 0
  private var cpuNanoseconds: UInt64 = 0

  /// Allocates pictures of `byteCount` bytes and writes them once.
  public init(byteCount: Int) throws(BenchError) {
    self.byteCount = byteCount
    sources = try mapped { () throws(SystemError) in try GuestRAM(byteCount: 2 * byteCount) }
    targets = try mapped { () throws(SystemError) in try GuestRAM(byteCount: 4 * byteCount) }
    sources.fill(0, 2 * byteCount, with: 0x55)
    targets.fill(0, 4 * byteCount, with: 0xAA)
  }

  /// Copies for this long, and adds to the totals.
  public mutating func run(milliseconds: UInt64) {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    repeat {
      let start = threadCPUNanoseconds()
      // SAFETY: there are two sources and four targets of `byteCount` bytes.
      if let target = unsafe targets.bytes.baseAddress, let source = unsafe sources.bytes.baseAddress {
        unsafe _ = memcpy(target + next % 4 * byteCount, source + next % 2 * byteCount, byteCount)
      }
      cpuNanoseconds += threadCPUNanoseconds() - start
      copiedBytes += UInt64(byteCount)
      next += 1
    } while monotonicNanoseconds() < deadline
  }

  /// CPU nanoseconds per picture over all runs.
  public var nanosecondsPerPicture: Double {
    copiedBytes == 0 ? 0 : Double(cpuNanoseconds) * Double(byteCount) / Double(copiedBytes)
  }
}
