import FramepathGuest
import GraphicsMemory
import LinuxIO
import Scanout

/// A real framepath-ivshmem for one guest.
final class BenchRegion {
  let process: ChildProcess
  let socket: String

  init(
    _ programs: BenchPrograms, _ daemon: BenchDaemon, name: String = BenchStage.vm, width: Int, height: Int
  ) throws(BenchError) {
    socket = "\(daemon.folder.path)/\(name).region.sock"
    // The guest runs on this machine and shares the daemon's clock.
    let command = ChildCommand(
      try programs.path("framepath-ivshmem"),
      [
        "--vm", name, "--socket-path", socket, "--daemon", daemon.socket, "--resolution",
        "\(width)x\(height)", "--containers",
      ])
    process = try mapped { () throws(SystemError) in try ChildProcess(command) }
    guard process.waitForLine(containing: "ready") != nil else {
      throw BenchError("framepath-ivshmem did not become ready: \(process.text(.error))")
    }
  }

  deinit { process.stop(timeoutMilliseconds: 2000) }
}

/// A guest with our library on a region. The ivshmem protocol, the region's memory and its doorbells are real; only
/// the virtual machine is missing.
final class RegionSource: FrameSource {
  private var screen: GuestScreen?
  private let layout: FrameLayout
  /// Taken ahead of the next frame.
  private var next: FrameSlot?
  /// The picture of each slot, which is drawn once.
  private var drawn: [Int: PictureChecksum] = [:]
  private var shown = PictureChecksum()

  /// Attaches, and shows the first picture.
  init(_ socket: String, width: Int, height: Int) throws(BenchError) {
    let screen: GuestScreen
    do throws(GuestError) {
      screen = try GuestScreen(.socket(socket))
    } catch {
      throw BenchError("framepath-ivshmem: \(error)")
    }
    guard let layout = screen.layout(width: width, height: height), layout.byteCount <= screen.slotByteCount else {
      throw BenchError("a slot of framepath-ivshmem is too small for \(width)x\(height)")
    }
    self.screen = screen
    self.layout = layout
    do throws(GuestError) {
      _ = try screen.waitForOutput()
    } catch {
      throw BenchError("framepath-ivshmem has no output: \(error)")
    }
    // All slots are drawn before anything is measured.
    var slots: [FrameSlot] = []
    for _ in 0..<screen.slotCount {
      let slot = try speak { (screen) throws(GuestError) in try screen.acquire() }
      _ = checksum(of: slot)
      slots.append(slot)
    }
    for slot in slots { screen.abandon(slot) }
    try showFrame(.wholePicture)
    try finish()
  }

  @discardableResult
  func showFrame(_ change: FrameChange) throws(BenchError) -> UInt64 {
    try waitForTurn(change)
    return try speak { (screen) throws(GuestError) in
      guard let slot = next.take() else { return 0 }
      shown = checksum(of: slot)
      let kicked = monotonicNanoseconds()
      try screen.present(slot, layout, damage: change.damage)
      return kicked
    }
  }

  /// Takes the next slot: one is on screen, the others may be pending.
  func waitForTurn(_ change: FrameChange) throws(BenchError) {
    if next != nil { return }
    next = try speak { (screen) throws(GuestError) in try screen.acquire() }
  }

  /// Waits until the host holds only the slot on screen.
  func waitForAnswer() throws(BenchError) {
    try speak { (screen) throws(GuestError) in try screen.waitUntilHeld(atMost: 1) }
  }

  func isAnswered() throws(BenchError) -> Bool {
    guard let screen else { throw BenchError("the guest has ended") }
    do throws(GuestError) {
      try screen.waitUntilHeld(atMost: 1, timeoutMilliseconds: 0)
      return true
    } catch {
      if case .timedOut = error { return false }
      throw BenchError("framepath-ivshmem: \(error)")
    }
  }

  func finish() throws(BenchError) {
    try waitForAnswer()
    guard let screen, screen.failedCount == 0, screen.refusalCount == 0 else {
      throw BenchError("framepath-ivshmem refused frames")
    }
  }

  func checksumOfShown() -> PictureChecksum { shown }

  func end() {
    next = nil
    screen = nil
  }

  private func checksum(of slot: FrameSlot) -> PictureChecksum {
    if let known = drawn[slot.index] { return known }
    let checksum = unsafe TestPicture.draw(slot.pixels, layout, seed: UInt32(slot.index))
    drawn[slot.index] = checksum
    return checksum
  }

  private func speak<T>(_ body: (GuestScreen) throws(GuestError) -> T) throws(BenchError) -> T {
    guard let screen else { throw BenchError("the guest has ended") }
    do throws(GuestError) {
      return try body(screen)
    } catch {
      throw BenchError("framepath-ivshmem: \(error)")
    }
  }
}

/// Pictures for sources that draw into host buffers or regions.
enum TestPicture {
  /// Draws a picture that is unique to the seed.
  ///
  /// - Returns: its checksum, computed without reading the memory.
  static func draw(_ pixels: UnsafeMutableRawBufferPointer, _ layout: FrameLayout, seed: UInt32) -> PictureChecksum {
    var checksum = PictureChecksum()
    var row = [UInt8](repeating: 0, count: layout.width * PixelFormat.bytesPerPixel)
    for y in 0..<layout.height {
      for x in 0..<layout.width {
        let pixel = UInt32(truncatingIfNeeded: y &* layout.width &+ x) &* 0x9E37_79B1 ^ (seed &+ 1) &* 0x85EB_CA6B
        for byte in 0..<4 { row[x * 4 + byte] = UInt8(truncatingIfNeeded: pixel >> UInt32(byte * 8)) }
      }
      unsafe row.withUnsafeBytes { bytes in
        unsafe checksum.add(bytes)
        unsafe UnsafeMutableRawBufferPointer(rebasing: pixels[(y * layout.strideBytes)...]).copyMemory(from: bytes)
      }
    }
    return checksum
  }
}
