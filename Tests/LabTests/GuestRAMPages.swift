import Glibc
import LinuxIO

/// A look at a guest's memory from outside, page by page.
struct GuestRAMPages {
  private let process: Int32
  private let byteCount: Int

  /// - Parameter process: QEMU, whose guest has this memory in one memfd.
  init(of process: Int32, byteCount: Int) {
    self.process = process
    self.byteCount = byteCount
  }

  /// The numbers of the pages that consist of one pixel, which `isWanted`.
  func uniform(_ isWanted: (UInt32) -> Bool) throws -> [Int] {
    let memory = try map()
    var found: [Int] = []
    var page = 0
    while page < byteCount / GuestRAMPages.pageBytes {
      if GuestRAMPages.isUniform(memory.base + page * GuestRAMPages.pageBytes, isWanted) { found.append(page) }
      page += 1
    }
    return found
  }

  /// Writes another pixel into those of these pages that still consist of one pixel which `isWanted`: nothing in the guest
  /// has them, because its kernel clears a page before it hands it out.
  ///
  /// - Returns: how many.
  func overwrite(_ pages: [Int], with pixel: UInt32, where isWanted: (UInt32) -> Bool) throws -> Int {
    let memory = try map()
    var count = 0
    for page in pages {
      let base = memory.base + page * GuestRAMPages.pageBytes
      guard GuestRAMPages.isUniform(base, isWanted) else { continue }
      base.initializeMemory(as: UInt32.self, repeating: pixel, count: GuestRAMPages.pageBytes / 4)
      count += 1
    }
    return count
  }

  private static let pageBytes = 4096

  private static func isUniform(_ base: UnsafeRawPointer, _ isWanted: (UInt32) -> Bool) -> Bool {
    isWanted(base.load(as: UInt32.self)) && memcmp(base, base + 4, pageBytes - 4) == 0
  }

  private func map() throws -> Mapping {
    let folder = "/proc/\(process)/fd"
    for name in try LinuxFile.list(folder)
    where LinuxFile.linkTarget("\(folder)/\(name)")?.contains("memory-backend-memfd") == true {
      let fd = try OwnedFD.open("\(folder)/\(name)", flags: O_RDWR)
      return try Mapping(fd: fd.raw, byteCount: byteCount)
    }
    throw LabError("QEMU has no memfd for the guest's memory")
  }
}
