import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout
import ServerSupport
import Testing

@Suite("Composed frames")
struct ComposeTests {
  private func shown(_ output: FakeOutput) throws -> MappedBuffer {
    try #require(output.shown?.buffer).mapped()
  }

  @Test func `a smaller picture is centred in black, pixel by pixel, and counted`() throws {
    let bench = try Bench([FakeOutput(width: 8, height: 6, fit: .compose("no such mode"))])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 4, 2)
    for y in 0..<2 { for x in 0..<4 { mapped.set(x, y, UInt32(0x10_0000 + y * 0x100 + x)) } }
    try client.present(1, 1, source: Rect(width: 4, height: 2), copiedBytes: 32)
    bench.output.vblank()
    let picture = try shown(bench.output)
    for y in 0..<6 {
      for x in 0..<8 {
        let inside = (2..<6).contains(x) && (2..<4).contains(y)
        #expect(picture.color(x, y) == (inside ? UInt32(0x10_0000 + (y - 2) * 0x100 + x - 2) : 0))
      }
    }
    #expect(bench.output.commits[0].fit == .mode(bench.output.info.mode))
    try client.send(.status(request: 1))
    _ = try client.messages()
    for part in [
      #""path":"blit""#, #""pathReason":"no such mode""#, #""cpuCopies":2"#, #""copiedBytes":64"#,
    ] { #expect(client.status.contains(part)) }
  }

  @Test func `a larger picture is cropped at all sides alike`() throws {
    let bench = try Bench([FakeOutput(width: 4, height: 2, fit: .compose("too large"))])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 8, 6)
    for y in 0..<6 { for x in 0..<8 { mapped.set(x, y, UInt32(y * 0x100 + x)) } }
    try client.present(1, 1, source: Rect(width: 8, height: 6))
    bench.output.vblank()
    let picture = try shown(bench.output)
    for y in 0..<2 { for x in 0..<4 { #expect(picture.color(x, y) == UInt32((y + 2) * 0x100 + x + 2)) } }
  }

  @Test func `later frames draw what changed in both buffers, and no more`() throws {
    let bench = try Bench([FakeOutput(width: 8, height: 8, fit: .compose("no"))])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 8, 8)
    let source = Rect(width: 8, height: 8)
    for frame: UInt64 in 1...6 {
      // A row of the frame's number; each buffer of the daemon gets every second frame only.
      for x in 0..<8 { mapped.set(x, Int(frame), UInt32(frame)) }
      try client.present(
        frame, 1, source: source, damage: Damage(Rect(x: 0, y: Int(frame), width: 8, height: 1)))
      bench.output.vblank()
      let picture = try shown(bench.output)
      for y in 0..<8 { #expect(picture.color(3, y) == (y <= Int(frame) ? UInt32(y) : 0)) }
    }
    try client.send(.status(request: 1))
    _ = try client.messages()
    // Both buffers whole once, then two rows each time.
    let bytes = 2 * 256 + 4 * 2 * 32
    #expect(client.status.contains(#""copiedBytes":\#(bytes)"#))
  }

  @Test func `without a cursor plane the cursor is blended, moves, and leaves no trace`() throws {
    let bench = try Bench([FakeOutput(width: 80, height: 70, cursorSize: 0)])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 80, 70)
    mapped.fill(0x00_40_80)
    let cursor = try client.makeBuffer(9, format: .argb8888, usage: .cursor)
    #expect(cursor.layout.width == 64)
    cursor.fill(0)
    cursor.set(0, 0, 0xff_ff_00_00)
    cursor.set(1, 0, 0x80_00_00_40)
    let source = Rect(width: 80, height: 70)
    try client.present(1, 1, source: source)
    bench.output.vblank()
    #expect(bench.output.commits[0].frame.buffer?.layout.width == 80)
    for (x, y) in [(10, 10), (11, 10), (-1, 69), (79, 0), (30, 30)] {
      try client.setCursor(9, Int32(x), Int32(y))
      bench.output.vblank()
      let picture = try shown(bench.output)
      #expect(bench.output.shown?.cursor == nil)
      for row in 0..<70 {
        for column in 0..<80 {
          let expected: UInt32 =
            row == y && column == x ? 0xff_00_00 : row == y && column == x + 1 ? 0x00_20_80 : 0x00_40_80
          // 0x40 + 0x80 × 127/255 is 0x80.
          if picture.color(column, row) != expected {
            Issue.record("(\(column), \(row)) is \(String(picture.color(column, row), radix: 16)) with (\(x), \(y))")
            return
          }
        }
      }
    }
    try client.setCursor(nil, 0, 0)
    bench.output.vblank()
    // As it is again: no cursor, no composition.
    #expect(try shown(bench.output) === mapped || shown(bench.output).layout == mapped.layout)
    try client.send(.status(request: 1))
    _ = try client.messages()
    #expect(client.status.contains(#""path":"copy""#))
  }

  @Test func `a commit that the driver refuses is composed, and the refusal remembered`() throws {
    let bench = try Bench()
    let client = try bench.client()
    try client.makeBuffer(1).fill(0x123456)
    bench.output.refusals = [.rejected("EINVAL")]
    for frame: UInt64 in 1...2 {
      try client.present(frame, 1)
      bench.output.vblank()
      #expect(try shown(bench.output).color(5, 5) == 0x123456)
    }
    #expect(bench.output.refusals.isEmpty)
    #expect(try client.messages() == [done(1, .flipped, 101), done(2, .flipped, 102)])
    try client.send(.status(request: 1))
    _ = try client.messages()
    #expect(client.status.contains(#""pathReason":"EINVAL""#))
  }

  @Test(arguments: PixelFormat.allCases)
  func `every format is converted`(format: PixelFormat) throws {
    let bench = try Bench([FakeOutput(width: 2, height: 1, fit: .compose("format"))])
    let client = try bench.client()
    let mapped = try client.makeBuffer(1, 2, 1, format: format)
    let (red, green, blue, alpha) = format.shifts
    mapped.set(0, 0, 0x12 << red | 0x34 << green | 0x56 << blue | 0x99 << alpha)
    mapped.set(1, 0, 0xff << red | 0x01 << blue)
    try client.present(1, 1, source: Rect(width: 2, height: 1))
    bench.output.vblank()
    let picture = try shown(bench.output)
    #expect(picture.color(0, 0) == 0x12_34_56)
    #expect(picture.color(1, 0) == 0xff_00_01)
  }
}
