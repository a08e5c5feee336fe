import CFaults
import CLinux
import Glibc
public import LinuxIO

/// Huge pages of this machine for a test, which it returns at the end. One test at a time has them.
///
/// A test that needs them is enabled by `HugePages.areThere`: the machine has free ones, or lets this process make some.
public final class HugePages {
  /// Bytes of one.
  public static let byteCount = 2 << 20

  private static let pool = "/sys/kernel/mm/hugepages/hugepages-2048kB"
  private let lock: OwnedFD
  private let totalBefore: Int

  /// Whether there can be some.
  public static let areThere = (try? HugePages(4)) != nil

  /// Waits for other tests, and makes sure that so many are free.
  public init(_ count: Int) throws(SystemError) {
    lock = try OwnedFD.open("/tmp/framepath-huge-pages.lock", flags: O_RDWR | O_CREAT)
    let raw = lock.raw
    try check("flock") { flock(raw, LOCK_EX) }
    // Pages that a former test still uses are surplus: they go when it lets go of them.
    totalBefore = HugePages.number("nr_hugepages") - HugePages.number("surplus_hugepages")
    let lacking = count - HugePages.freeCount
    if lacking > 0 { try HugePages.setTotal(HugePages.number("nr_hugepages") + lacking) }
    if HugePages.freeCount < count {
      try? HugePages.setTotal(totalBefore)
      throw SystemError(call: "huge pages", code: ENOMEM, subject: "\(count)")
    }
  }

  deinit { try? HugePages.setTotal(totalBefore) }

  /// Pages that nobody has used or reserved.
  public static var freeCount: Int { number("free_hugepages") - number("resv_hugepages") }

  /// A memfd of huge pages, sealed as QEMU seals a guest's memory.
  public func makeMemory(count: Int) throws(SystemError) -> SharedFD {
    let flags: UInt32 = 0x1 | 0x2 | 0x4 | 21 << 26
    let fd = OwnedFD(taking: try check("memfd_create") { clinux_memfd_create("huge", flags) })
    let raw = fd.raw
    try check("ftruncate") { ftruncate(raw, count * HugePages.byteCount) }
    try MemFD.seal(raw, [.shrink, .grow, .seal])
    return SharedFD(fd)
  }

  /// Discards a page, as a balloon does.
  public func discard(_ page: Int, of memory: SharedFD) throws(SystemError) {
    try check("fallocate") { framepath_discard(memory.raw, page * HugePages.byteCount, HugePages.byteCount) }
  }

  /// Takes all free pages while the result lives.
  public func takeAll() throws(SystemError) -> SharedFD {
    let count = max(HugePages.freeCount, 1)
    let memory = try makeMemory(count: count)
    let byteCount = HugePages.freeCount * HugePages.byteCount
    if byteCount > 0 { try check("fallocate") { clinux_fallocate(memory.raw, 0, Int64(byteCount)) } }
    return memory
  }

  private static func number(_ name: String) -> Int { LinuxFile.text("\(pool)/\(name)").flatMap { Int($0) } ?? 0 }

  private static func setTotal(_ count: Int) throws(SystemError) {
    let file = try OwnedFD.open("\(pool)/nr_hugepages", flags: O_WRONLY)
    let text = "\(count)\n"
    let raw = file.raw
    try check("write", "nr_hugepages") { write(raw, text, text.utf8.count) }
  }
}
