import CLinux
import Glibc
import GuestMemory
import LinuxIO
import TestSupport
import Testing

struct GuestRegionTests {
  let ram: GuestRAM

  init() throws { ram = try GuestRAM(byteCount: 16 << 10) }

  private func region(guest: UInt64 = 0, user: UInt64 = 0, byteCount: UInt64, offset: UInt64 = 0) -> GuestMemoryError? {
    do throws(GuestMemoryError) {
      _ = try GuestRegion(guestAddress: guest, userAddress: user, byteCount: byteCount, fd: ram.fd, fileOffset: offset)
      return nil
    } catch {
      return error
    }
  }

  @Test func `a memfd without seals is refused with the remedy`() throws {
    let open = SharedFD(OwnedFD(taking: clinux_memfd_create("open", UInt32(CLINUX_MFD_ALLOW_SEALING))))
    #expect(ftruncate(open.raw, 8192) == 0)

    let error = #expect(throws: GuestMemoryError.notSealed(guestAddress: 0x100000)) {
      try GuestRegion(guestAddress: 0x100000, userAddress: 0, byteCount: 4096, fd: open, fileOffset: 0)
    }

    #expect(
      error?.description
        == "the file of the guest memory region at 0x100000 may shrink: give the VM its memory with "
        + "-object memory-backend-memfd,share=on,seal=on")
  }

  @Test func `a plain file is refused like an unsealed memfd`() throws {
    let file = SharedFD(try OwnedFD.open("/proc/self/exe", flags: O_RDONLY))

    #expect(throws: GuestMemoryError.notSealed(guestAddress: 0)) {
      try GuestRegion(guestAddress: 0, userAddress: 0, byteCount: 4096, fd: file, fileOffset: 0)
    }
  }

  @Test func `a region past the end of its file is refused`() {
    #expect(
      region(byteCount: 16 << 10, offset: 1)
        == .fileTooShort(guestAddress: 0, neededByteCount: (16 << 10) + 1, fileByteCount: 16 << 10))
    #expect(
      region(byteCount: 1 << 32)
        == .fileTooShort(guestAddress: 0, neededByteCount: 1 << 32, fileByteCount: 16 << 10))
  }

  @Test func `an empty region is refused`() {
    #expect(region(guest: 0x1000, byteCount: 0) == .emptyRegion(guestAddress: 0x1000))
  }

  @Test(arguments: [
    (UInt64.max, UInt64(0), UInt64(2), UInt64(0)), (0, .max, 2, 0), (0, 0, .max, 0), (0, 0, 1 << 63, 0),
    (0, 0, 1, .max), (0, 0, 1, 1 << 63), (0, 0, 2, (1 << 63) - 1),
  ])
  func `numbers that overflow are refused`(_ guest: UInt64, _ user: UInt64, _ byteCount: UInt64, _ offset: UInt64) {
    #expect(
      region(guest: guest, user: user, byteCount: byteCount, offset: offset)
        == .regionOverflows(guestAddress: guest, userAddress: user, byteCount: byteCount, fileOffset: offset))
  }

  @Test func `more regions than the limit are refused`() throws {
    let memory = GuestMemory()
    let regions = try (0...GuestMemory.maxRegionCount).map { try ram.region(from: $0, byteCount: 1) }

    #expect(throws: GuestMemoryError.tooManyRegions(257)) { try memory.replaceRegions(regions) }
    #expect(memory.generation == 0)
  }
}
