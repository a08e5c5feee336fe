import GraphicsMemory
import LinuxIO
import VhostUserFrontend

/// The host framebuffer of the legacy path.
protocol LegacyScreen {
  /// The name for the report.
  var means: String { get }
  /// The hypervisor's virtual graphics memory for it: rows of `width` × 4 bytes.
  var virtualGraphicsMemory: GuestRAM { get }
  /// Moves the whole picture from the virtual graphics memory to the host framebuffer, and counts it.
  mutating func show(_ ledger: inout CopyLedger) throws(BenchError)
  /// The host framebuffer's picture.
  mutating func checksum() throws(BenchError) -> PictureChecksum
  /// Copies of whole pictures by another process, which the ledger does not count.
  var foreignCopies: UInt64 { get }
  /// CPU time of other processes so far.
  func cpuNanoseconds() throws(BenchError) -> UInt64
}

/// Executes the classic path of a frame: guest framebuffer → virtual graphics memory → host framebuffer → hardware.
struct LegacyPath<Screen: LegacyScreen> {
  private let width: Int
  private let height: Int
  private let guest: GuestRAM
  private var screen: Screen
  private var ledger = CopyLedger()

  init(width: Int, height: Int, hostFramebuffer: Screen) throws(BenchError) {
    self.width = width
    self.height = height
    screen = hostFramebuffer
    let byteCount = width * height * 4
    guest = try mapped { () throws(SystemError) in try GuestRAM(byteCount: 2 * byteCount) }
    for index in 0..<(2 * width * height) {
      let pixel = UInt32(truncatingIfNeeded: index) &* 0x9E37_79B1
      unsafe guest.bytes.storeBytes(of: pixel.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
    }
  }

  mutating func run(frames: Int) throws(BenchError) -> CopiesReport.Path {
    let byteCount = width * height * 4
    let cpuBefore = threadCPUNanoseconds() + (try screen.cpuNanoseconds())
    let start = monotonicNanoseconds()
    var last = 0
    for frame in 0..<frames {
      last = frame % 2 * byteCount
      let pixel = UInt32(truncatingIfNeeded: frame) &* 0x85EB_CA77
      unsafe guest.bytes.storeBytes(of: pixel.littleEndian, toByteOffset: last, as: UInt32.self)
      // SAFETY: both memories hold a whole picture.
      if let from = unsafe guest.bytes.baseAddress, let to = unsafe screen.virtualGraphicsMemory.bytes.baseAddress {
        unsafe ledger.copy(byteCount, from: from + last, to: to)
      }
      try screen.show(&ledger)
    }
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    let cpu = threadCPUNanoseconds() + (try screen.cpuNanoseconds()) - cpuBefore
    var drawn = PictureChecksum()
    unsafe drawn.add(UnsafeRawBufferPointer(rebasing: guest.bytes[last..<(last + byteCount)]))
    return CopiesReport.Path(
      path: .legacy, means: screen.means, frames: frames, scannedOut: UInt64(frames), superseded: 0,
      cpuCopies: ledger.copyCalls + screen.foreignCopies,
      copiedBytes: ledger.copiedBytes + screen.foreignCopies * UInt64(byteCount), interposedBytes: nil,
      interposedCopies: nil, pictureBytes: byteCount, seconds: seconds,
      microsecondsPerFrame: Double(cpu) / 1000 / Double(max(frames, 1)),
      drawnChecksum: drawn.text, shownChecksum: try screen.checksum().text)
  }
}

/// A host framebuffer of plain shared memory.
struct PlainScreen: LegacyScreen {
  let means = "plain buffers in shared memory"
  let foreignCopies: UInt64 = 0
  let virtualGraphicsMemory: GuestRAM
  private let hostFramebuffer: GuestRAM
  private let byteCount: Int

  init(_ width: Int, _ height: Int) throws(BenchError) {
    let byteCount = width * height * 4
    self.byteCount = byteCount
    virtualGraphicsMemory = try mapped { () throws(SystemError) in try GuestRAM(byteCount: byteCount) }
    hostFramebuffer = try mapped { () throws(SystemError) in try GuestRAM(byteCount: byteCount) }
  }

  mutating func show(_ ledger: inout CopyLedger) {
    // SAFETY: both memories hold a whole picture.
    if let from = unsafe virtualGraphicsMemory.bytes.baseAddress, let to = unsafe hostFramebuffer.bytes.baseAddress {
      unsafe ledger.copy(byteCount, from: from, to: to)
    }
  }

  func checksum() -> PictureChecksum {
    var checksum = PictureChecksum()
    unsafe checksum.add(UnsafeRawBufferPointer(hostFramebuffer.bytes))
    return checksum
  }

  func cpuNanoseconds() -> UInt64 { 0 }
}
