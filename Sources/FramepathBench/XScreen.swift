import GraphicsMemory
import LinuxIO
import VhostUserFrontend

/// An X server's screen as the host framebuffer: the hypervisor's picture is in memory shared with the server, which
/// copies it to its screen.
struct XScreen: LegacyScreen {
  let means = "Xvfb with XShm: the second copy is the X server's, counted by its completion events"
  let virtualGraphicsMemory: GuestRAM
  private(set) var foreignCopies: UInt64 = 0
  private let server: XServer
  private let width: Int
  private let height: Int

  init(_ server: XServer, _ width: Int, _ height: Int) throws(BenchError) {
    self.server = server
    self.width = width
    self.height = height
    virtualGraphicsMemory = try mapped { () throws(SystemError) in
      try GuestRAM(byteCount: (width * height * 4 + 4095) / 4096 * 4096)
    }
    try server.attach(virtualGraphicsMemory.fd)
  }

  mutating func show(_ ledger: inout CopyLedger) throws(BenchError) {
    try server.put(width: width, height: height)
    foreignCopies += 1
  }

  func checksum() throws(BenchError) -> PictureChecksum {
    let pixels = try server.image(width: width, height: height)
    var checksum = PictureChecksum()
    unsafe pixels.withUnsafeBytes { bytes in unsafe checksum.add(bytes) }
    return checksum
  }

  func cpuNanoseconds() throws(BenchError) -> UInt64 {
    try ProcessFigures(pid: server.process.pid, name: "Xvfb").cpuNanoseconds
  }
}
