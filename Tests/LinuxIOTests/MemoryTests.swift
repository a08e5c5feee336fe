import LinuxIO
import Testing

@Suite("Shared memory")
struct MemoryTests {
  @Test func `a new memfd has its size and can neither shrink nor grow nor be sealed further`() throws {
    let memfd = try MemFD.create(name: "test", byteCount: 8192)
    #expect(try memfd.byteCount() == 8192)
    #expect(MemFD.seals(of: memfd.raw) == [.shrink, .grow, .seal])
  }

  @Test func `a file without seals reports none`() throws {
    let null = try OwnedFD.open("/dev/null", flags: 0)
    #expect(MemFD.seals(of: null.raw) == nil)
  }

  @Test func `two mappings of one memfd see each other's bytes`() throws {
    let memfd = try MemFD.create(name: "test", byteCount: 4096)
    let one = try Mapping(fd: memfd.raw, byteCount: 4096)
    let two = try Mapping(fd: memfd.raw, byteCount: 4096, writable: false)
    one.bytes[100] = 42
    #expect(two.bytes[100] == 42)
  }

  @Test func `mapping zero bytes is an error with numbers`() throws {
    let memfd = try MemFD.create(name: "test", byteCount: 4096)
    let raw = memfd.raw
    #expect(throws: SystemError(call: "mmap", code: 22, subject: "0 bytes at 0")) {
      _ = try Mapping(fd: raw, byteCount: 0)
    }
  }

  @Test(arguments: [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
  func `sizes round up to pages, and overflow is nil`(byteCount: Int, rounded: Int) {
    #expect(roundedUpToPages(byteCount) == rounded)
    #expect(roundedUpToPages(Int.max) == nil)
    #expect(roundedUpToPages(-1) == nil)
  }

  @Test func `an error names the call, the subject and the errno`() {
    let error = SystemError(call: "open", code: 13, subject: "/dev/dri/card0")
    #expect(error.description == "open /dev/dri/card0: Permission denied (errno 13)")
  }
}
