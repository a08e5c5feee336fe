import GraphicsMemory
import KMS
import LinuxIO
import Outputs
import Scanout
import TestSupport

/// An output under test with its loop and its events so far.
final class OutputBench {
  struct Flip: Equatable {
    var timeNanoseconds: UInt64
    var sequence: UInt64
  }

  struct TimedOut: Error, CustomStringConvertible {
    var description: String
  }

  let loop: EventLoop
  let output: any Output
  /// The card of a KMS output.
  let card: KMSCard?
  private(set) var flips: [Flip] = []
  private(set) var changes = 0
  private(set) var leaseEnds = 0

  init(_ output: any Output, loop: EventLoop, card: KMSCard? = nil) {
    self.output = output
    self.loop = loop
    self.card = card
    output.onEvent = { [unowned self] event in
      switch event {
      case .flipped(let time, let sequence): flips.append(Flip(timeNanoseconds: time, sequence: sequence))
      case .changed: changes += 1
      case .leaseEnded: leaseEnds += 1
      }
    }
  }

  /// Releases the hardware for the next test.
  func close() {
    output.close()
    card?.close()
  }

  /// Runs the loop until `condition` holds.
  func wait(for what: String, milliseconds: UInt64 = 10_000, until condition: () -> Bool) throws {
    guard try loop.wait(milliseconds: milliseconds, until: condition) else {
      throw TimedOut(description: "waited too long for \(what)")
    }
  }

  /// Runs the loop for that long.
  func idle(milliseconds: UInt64) throws {
    try loop.idle(milliseconds: milliseconds)
  }

  /// Commits and waits for the flip.
  @discardableResult
  func show(
    _ buffer: (any ScanoutBuffer)?, damage: DamageRegion? = nil, cursor: CursorState? = nil, fit: FitMethod? = nil
  ) throws -> Flip {
    let before = flips.count
    try commit(buffer, damage: damage, cursor: cursor, fit: fit)
    try wait(for: "a flip") { flips.count > before }
    return flips[flips.count - 1]
  }

  /// Commits a whole buffer, by default with full damage.
  func commit(
    _ buffer: (any ScanoutBuffer)?, damage: DamageRegion? = nil, cursor: CursorState? = nil, fit: FitMethod? = nil
  ) throws {
    let bounds = buffer?.layout.bounds ?? .empty
    let frame = OutputFrame(
      buffer: buffer, source: bounds, damage: damage ?? DamageRegion(bounds), cursor: cursor)
    try output.commit(frame, fit: fit ?? buffer.map { output.fit($0, source: bounds) } ?? .mode(output.info.mode))
  }

  /// A buffer of the current mode in one colour.
  func uniform(_ pixel: UInt32, format: PixelFormat = .xrgb8888) throws -> any ScanoutBuffer {
    let mode = output.info.mode
    let buffer = try output.makeBuffer(width: mode.width, height: mode.height, format: format)
    try fill(buffer) { _, _ in pixel }
    return buffer
  }
}

/// Writes every pixel of a buffer.
func fill(_ buffer: any ScanoutBuffer, _ pixel: (_ x: Int, _ y: Int) -> UInt32) throws {
  let mapped = try buffer.mapped()
  mapped.beginAccess()
  for y in 0..<mapped.layout.height {
    let row = mapped.pixels + y * mapped.layout.strideBytes
    for x in 0..<mapped.layout.width { row.storeBytes(of: pixel(x, y), toByteOffset: x * 4, as: UInt32.self) }
  }
  mapped.endAccess()
}

/// Whether a captured picture shows `expected` in every pixel.
func differences(_ picture: MappedBuffer, _ expected: (_ x: Int, _ y: Int) -> UInt32) -> Int {
  var count = 0
  picture.beginAccess(read: true)
  for y in 0..<picture.layout.height {
    for x in 0..<picture.layout.width where colour(picture, x, y) != expected(x, y) & 0xff_ffff { count += 1 }
  }
  picture.endAccess(read: true)
  return count
}

/// The colour bits of a pixel.
func colour(_ mapped: MappedBuffer, _ x: Int, _ y: Int) -> UInt32 {
  mapped.pixels.load(fromByteOffset: y * mapped.layout.strideBytes + x * 4, as: UInt32.self) & 0xff_ffff
}

/// A pattern with different pixels in a small picture, so that any shift or mix-up is noticed.
func pattern(_ x: Int, _ y: Int) -> UInt32 {
  UInt32(truncatingIfNeeded: x &* 0x01_0203 ^ y &* 0x0d_0507 ^ (x &* y)) & 0xff_ffff
}

/// A sealed memfd of `byteCount` bytes, filled as a picture of `layout`.
func filledMemfd(_ layout: FrameLayout, byteCount: Int, _ pixel: (_ x: Int, _ y: Int) -> UInt32) throws -> SharedFD {
  let memory = SharedFD(try MemFD.create(name: "picture", byteCount: byteCount))
  let mapped = try MappedBuffer(fd: memory, kind: .memfd, layout: layout, byteCount: byteCount)
  for y in 0..<layout.height {
    let row = mapped.pixels + y * layout.strideBytes
    for x in 0..<layout.width { row.storeBytes(of: pixel(x, y), toByteOffset: x * 4, as: UInt32.self) }
  }
  return memory
}
