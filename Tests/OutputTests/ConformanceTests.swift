import GraphicsMemory
import KMS
import LinuxIO
import Outputs
import Scanout
import Testing

/// The behaviour of every kind of output. One test at a time: a card has one master.
@Suite(.serialized) struct OutputConformance {
  @Test(arguments: TestScreen.all)
  func `an output describes itself`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let info = bench.output.info
    #expect(!info.name.isEmpty)
    #expect(info.connected)
    #expect(info.modes.contains(info.mode))
    #expect(info.mode.refreshMillihertz > 0)
    #expect(bench.output.counters == OutputCounters())
    #expect(!bench.output.isCommitPending)
    print(
      "OutputTests: \(screen.testDescription) is \(info.name), \(info.mode), \(info.modes.count) modes, cursor \(info.cursorSize), driver \(bench.card?.driverName ?? "none")"
    )
  }

  @Test(arguments: TestScreen.all)
  func `flips come at the refresh rate`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffers = [try bench.uniform(0x10_2030), try bench.uniform(0x30_2010)]
    let first = try bench.show(buffers[0])
    for count in 1...60 { try bench.show(buffers[count % 2]) }
    let last = try #require(bench.flips.last)
    let periods = Double(last.sequence - first.sequence)
    let nanoseconds = Double(last.timeNanoseconds - first.timeNanoseconds)
    let period = Double(bench.output.info.mode.periodNanoseconds)
    #expect(periods >= 60)
    #expect(abs(nanoseconds - periods * period) < period / 2, "\(nanoseconds / periods) ns, not \(period)")
    // On a busy machine a commit may be late, or miss its vblank.
    #expect(Double(bench.output.counters.missedVblanks) <= periods - 59)
    #expect(bench.output.counters.commits == 61)
    print(
      "OutputTests: 60 flips on \(screen.testDescription) took \(Int(periods)) periods,",
      "\(bench.output.counters.missedVblanks) missed")
  }

  @Test(arguments: TestScreen.all)
  func `sequence numbers and times rise, also over idle time`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffer = try bench.uniform(0)
    for _ in 0..<3 {
      try bench.show(buffer)
      try bench.idle(milliseconds: 120)
    }
    try bench.show(buffer)
    for (earlier, later) in zip(bench.flips, bench.flips.dropFirst()) {
      #expect(later.sequence > earlier.sequence)
      #expect(later.timeNanoseconds > earlier.timeNanoseconds)
    }
    let first = try #require(bench.flips.first)
    let last = try #require(bench.flips.last)
    let elapsed = last.timeNanoseconds - first.timeNanoseconds
    let expected = Double(elapsed) / Double(bench.output.info.mode.periodNanoseconds)
    #expect(abs(Double(last.sequence - first.sequence) - expected) < 2)
    #expect(last.timeNanoseconds <= monotonicNanoseconds())
  }

  @Test(arguments: TestScreen.all)
  func `one commit is pending at a time`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffer = try bench.uniform(0)
    try bench.commit(buffer)
    #expect(bench.output.isCommitPending)
    #expect(throws: OutputError.busy) { try bench.commit(buffer) }
    try bench.wait(for: "the flip") { bench.flips.count == 1 }
    #expect(!bench.output.isCommitPending)
    #expect(bench.output.counters.commits == 1)
  }

  @Test(arguments: TestScreen.all)
  func `no event comes while nothing is committed`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    try bench.show(try bench.uniform(0))
    try bench.idle(milliseconds: 100)
    #expect(bench.flips.count == 1)
    #expect(try bench.loop.runOnce(timeoutMilliseconds: 50) == 0)
    #expect(bench.output.counters.commits == 1)
  }

  @Test(arguments: TestScreen.all)
  func `a buffer is held until the next one is on screen`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    var first: (any ScanoutBuffer)? = try bench.uniform(1)
    weak let watched = first
    try bench.commit(first)
    first = nil
    #expect(watched != nil)
    try bench.wait(for: "the flip") { bench.flips.count == 1 }
    #expect(watched != nil)
    try bench.commit(try bench.uniform(2))
    #expect(watched != nil)
    try bench.wait(for: "the flip") { bench.flips.count == 2 }
    #expect(watched == nil)
  }

  @Test(arguments: TestScreen.all)
  func `damage is accepted`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffers = [try bench.uniform(0x11_1111), try bench.uniform(0x11_1111)]
    try bench.show(buffers[0])
    let box = Rect(x: 8, y: 16, width: 40, height: 24)
    func picture(_ x: Int, _ y: Int) -> UInt32 {
      box.contains(Rect(x: x, y: y, width: 1, height: 1)) ? 0xff_8040 : 0x11_1111
    }
    try fill(buffers[1], picture)
    try bench.show(buffers[1], damage: DamageRegion(box))
    if let seen = try bench.output.capture() { #expect(differences(seen, picture) == 0) }
    try bench.show(buffers[1], damage: DamageRegion())
    if let seen = try bench.output.capture() { #expect(differences(seen, picture) == 0) }
  }

  @Test(arguments: TestScreen.all)
  func `a cursor is shown and moved without a new picture`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let size = bench.output.info.cursorSize
    let picture = try bench.uniform(0x20_2020)
    let cursor = try bench.output.makeCursorBuffer()
    try fill(cursor) { x, y in x < 16 && y < 16 ? 0xffff_0000 : 0 }
    try bench.show(picture)
    guard size > 0 else {
      #expect(throws: OutputError.self) {
        try bench.show(picture, cursor: CursorState(buffer: cursor, x: 0, y: 0))
      }
      return
    }
    #expect(cursor.layout.width == size && cursor.layout.height == size)
    for (x, y) in [(10, 20), (-8, -4), (100, 50)] {
      let commits = bench.output.counters.commits
      try bench.show(picture, damage: DamageRegion(), cursor: CursorState(buffer: cursor, x: x, y: y))
      #expect(bench.output.counters.commits == commits + 1)
      if let seen = try bench.output.capture() {
        let box = Rect(x: max(x, 0), y: max(y, 0), width: 16 + min(x, 0), height: 16 + min(y, 0))
        let wrong = differences(seen) { x, y in
          box.contains(Rect(x: x, y: y, width: 1, height: 1)) ? 0xff_0000 : 0x20_2020
        }
        #expect(wrong == 0)
      }
    }
    try bench.show(picture, damage: DamageRegion())
    if let seen = try bench.output.capture() { #expect(differences(seen) { _, _ in 0x20_2020 } == 0) }
  }

  @Test(arguments: TestScreen.all)
  func `the mode changes to a picture's size and back`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let before = bench.output.info.mode
    let first = try bench.uniform(0x00_ff00)
    let firstFlip = try bench.show(first)
    let other =
      bench.output.info.modes.first { $0.width * $0.height > before.width * before.height && $0.width <= 1280 }
      ?? DisplayMode(width: 400, height: 300, refreshMillihertz: before.refreshMillihertz)
    try #require(screen == .headless || bench.output.info.modes.contains(other))
    let second = try bench.output.makeBuffer(width: other.width, height: other.height, format: .xrgb8888)
    try fill(second, pattern)
    guard case .mode(let mode) = bench.output.fit(second, source: second.layout.bounds) else {
      Issue.record("no mode for \(other)")
      return
    }
    #expect(mode.width == other.width && mode.height == other.height)
    let secondFlip = try bench.show(second)
    #expect(bench.output.info.mode == mode)
    if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
    let thirdFlip = try bench.show(first, fit: .mode(before))
    #expect(bench.output.info.mode == before)
    #expect(firstFlip.sequence < secondFlip.sequence && secondFlip.sequence < thirdFlip.sequence)
    #expect(bench.changes == 0)
  }

  @Test(arguments: TestScreen.all)
  func `a small picture is centred, or refused with the reason`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let small = try bench.output.makeBuffer(width: 202, height: 102, format: .xrgb8888)
    try fill(small, pattern)
    let fit = bench.output.fit(small, source: small.layout.bounds)
    switch fit {
    case .mode(let mode):
      #expect(mode.width == 202 && mode.height == 102)
      try bench.show(small)
    case .centered(let left, let top):
      try bench.show(small)
      if let seen = try bench.output.capture() {
        let box = Rect(x: left, y: top, width: 202, height: 102)
        let wrong = differences(seen) { x, y in
          box.contains(Rect(x: x, y: y, width: 1, height: 1)) ? pattern(x - left, y - top) : 0
        }
        #expect(wrong == 0)
      }
    case .compose(let why):
      #expect(!why.isEmpty)
      #expect(throws: OutputError.self) { try bench.commit(small) }
    }
    print("OutputTests: 202x102 on \(screen.testDescription): \(fit)")
  }

  @Test(arguments: TestScreen.all)
  func `a part of a buffer is shown`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let mode = bench.output.info.mode
    let wide = try bench.output.makeBuffer(width: mode.width + 64, height: mode.height + 32, format: .xrgb8888)
    try fill(wide, pattern)
    let part = Rect(x: 48, y: 16, width: mode.width, height: mode.height)
    guard case .mode(mode) = bench.output.fit(wide, source: part) else { return }
    let frame = OutputFrame(buffer: wide, source: part, damage: DamageRegion(part), cursor: nil)
    try bench.output.commit(frame, fit: .mode(mode))
    try bench.wait(for: "the flip") { bench.flips.count == 1 }
    if let seen = try bench.output.capture() {
      #expect(differences(seen) { x, y in pattern(x + 48, y + 16) } == 0)
    }
  }

  @Test(arguments: TestScreen.all)
  func `an output is disabled and shown again`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffer = try bench.output.makeBuffer(
      width: bench.output.info.mode.width, height: bench.output.info.mode.height, format: .xrgb8888)
    try fill(buffer, pattern)
    try bench.show(buffer)
    for _ in 0..<2 { try bench.show(nil) }
    if screen == .kms { #expect(try bench.output.capture() == nil) }
    try bench.show(buffer)
    try bench.show(buffer)
    if let seen = try bench.output.capture() { #expect(differences(seen, pattern) == 0) }
    for (earlier, later) in zip(bench.flips, bench.flips.dropFirst()) {
      #expect(later.sequence > earlier.sequence)
      #expect(later.timeNanoseconds >= earlier.timeNanoseconds)
    }
  }

  @Test(arguments: TestScreen.all)
  func `buffers of every format can be made, and the formats that are shown are listed`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let mode = bench.output.info.mode
    for format in PixelFormat.allCases {
      do {
        let buffer = try bench.output.makeBuffer(width: mode.width, height: mode.height, format: format)
        #expect(buffer.layout.format == format)
        #expect(buffer.byteCount >= buffer.layout.byteCount)
        #expect(try buffer.descriptor().byteCount() == buffer.byteCount)
        #expect(buffer.memoryKind == bench.output.info.memoryKind)
        let shifts = format.shifts
        try fill(buffer) { x, y in
          UInt32(x & 0xff) << shifts.red | UInt32(y & 0xff) << shifts.green | 0x55 << shifts.blue
        }
        try bench.show(buffer)
        if let seen = try bench.output.capture() {
          #expect(
            differences(seen) { x, y in UInt32(x & 0xff) << 16 | UInt32(y & 0xff) << 8 | 0x55 } == 0, "\(format.name)")
        }
      } catch OutputError.rejected(let why) {
        #expect(why.contains("not \(format.name)"))
        #expect(format != .xrgb8888 && format != .argb8888)
      }
    }
  }

  @Test(arguments: TestScreen.all)
  func `a frame that cannot be shown is refused`(screen: TestScreen) throws {
    let bench = try screen.open()
    defer { bench.close() }
    let buffer = try bench.uniform(0)
    let mode = bench.output.info.mode
    func commit(_ source: Rect, _ fit: FitMethod) throws(OutputError) {
      try bench.output.commit(
        OutputFrame(buffer: buffer, source: source, damage: DamageRegion(), cursor: nil), fit: fit)
    }
    #expect(throws: OutputError.rejected("the source is outside the buffer")) {
      try commit(Rect(x: 1, y: 0, width: mode.width, height: mode.height), .mode(mode))
    }
    #expect(throws: OutputError.self) { try commit(.empty, .mode(mode)) }
    #expect(throws: OutputError.self) { try commit(buffer.layout.bounds, .compose("why")) }
    #expect(throws: OutputError.self) {
      try commit(buffer.layout.bounds, .mode(DisplayMode(width: 31, height: 31, refreshMillihertz: 60_000)))
    }
    for (width, height) in [(0, 10), (10, 0), (-1, 10), (16_385, 10), (Int.max, Int.max)] {
      #expect(throws: OutputError.self) {
        try bench.output.makeBuffer(width: width, height: height, format: .xrgb8888)
      }
    }
    #expect(!bench.output.isCommitPending)
    try bench.show(buffer)
  }

  @Test(arguments: TestScreen.all)
  func `a closed output returns an error`(screen: TestScreen) throws {
    let bench = try screen.open()
    let buffer = try bench.uniform(0)
    try bench.commit(buffer)
    bench.close()
    bench.close()
    #expect(!bench.output.isCommitPending)
    #expect(!bench.output.info.connected)
    #expect(throws: OutputError.gone("\(bench.output.info.name) is closed")) { try bench.commit(buffer) }
    try bench.idle(milliseconds: 40)
    #expect(bench.flips.isEmpty)
  }

  @Test(arguments: TestScreen.all)
  func `no descriptor leaks`(screen: TestScreen) throws {
    // Other suites open and close descriptors too; a leak would grow at every attempt.
    var grown = Int.max
    for _ in 0..<8 where grown >= 6 {
      let before = try LinuxFile.list("/proc/self/fd").count
      for _ in 0..<6 {
        let bench = try screen.open()
        for _ in 0..<4 { try bench.show(try bench.uniform(0)) }
        _ = try bench.output.capture()
        bench.close()
      }
      grown = try LinuxFile.list("/proc/self/fd").count - before
    }
    #expect(grown < 6)
  }
}
