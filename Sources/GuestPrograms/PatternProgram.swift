import ArgumentParser
import FramepathGuest
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout

/// Presents pictures that identify their frames as fast as slots are released, and reports the rate.
struct PatternProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pattern", abstract: "Presents numbered test pictures.",
    discussion: "Prints one line of figures at the end. The last picture stays until this program ends.")

  @OptionGroup var options: GuestOptions

  @Option(name: .long, help: "The number of frames; 0: endless.")
  var frames = 600

  @Option(name: .long, help: "The picture's size, such as 1920x1080. Default: the output's mode.")
  var size: PictureSize?

  @Option(name: .long, help: "The highest number of frames per second. Default: as fast as the output shows them.")
  var rate: Double?

  @Option(name: .long, help: "Redraw and report only this many rows at a time, for damage.")
  var rows: Int?

  @Option(name: .long, help: "Keep the last picture for this many seconds.")
  var hold = 0.0

  @Flag(name: .long, help: "Draw each slot only once, then present it repeatedly, to measure only presents.")
  var still = false

  func run() throws {
    let screen = try GuestScreen(options.place)
    let (width, height): (Int, Int)
    if let size {
      (width, height) = (size.width, size.height)
    } else {
      let output: RegionOutput
      do throws(GuestError) {
        output = try screen.waitForOutput()
      } catch .timedOut {
        throw ValidationError("There is no output at the moment; give --size.")
      }
      (width, height) = (output.width, output.height)
    }
    guard let layout = screen.layout(width: width, height: height), layout.byteCount <= screen.slotByteCount else {
      throw ValidationError("A slot of \(screen.slotByteCount) bytes is too small for \(width)x\(height).")
    }
    let run = PatternRun(screen: screen, layout: layout, program: self)
    try run.run()
    try LinuxFile.writeToStandardOutput(Array((run.summary + "\n").utf8))
    if hold > 0 { run.hold(nanoseconds: UInt64(hold * 1e9)) }
  }
}

/// A picture's size, such as `1920x1080`.
struct PictureSize: ExpressibleByArgument {
  let width: Int
  let height: Int

  init?(argument: String) {
    guard let size = PixelSize(argument) else { return nil }
    (width, height) = (size.width, size.height)
  }
}

/// One run of the pattern program.
final class PatternRun {
  private let screen: GuestScreen
  private let layout: FrameLayout
  private let program: PatternProgram
  private var presented: UInt64 = 0
  private var startedAt: UInt64 = 0
  private var endedAt: UInt64 = 0
  private var drawnSlots: [Int: UInt32] = [:]

  init(screen: GuestScreen, layout: FrameLayout, program: PatternProgram) {
    self.screen = screen
    self.layout = layout
    self.program = program
  }

  func run() throws(GuestError) {
    startedAt = monotonicNanoseconds()
    let last = program.frames > 0 ? UInt64(program.frames) : UInt64.max
    let interval = program.rate.map { UInt64(1e9 / max($0, 0.01)) }
    while presented < last {
      let slot = try screen.acquire()
      let damage = draw(slot, frame: UInt32(truncatingIfNeeded: presented + 1))
      if let interval { sleep(until: startedAt + interval * presented) }
      presented = try screen.present(slot, layout, damage: damage)
    }
    try screen.waitUntilHeld(atMost: 1)
    endedAt = monotonicNanoseconds()
  }

  /// Draws a frame, or the part that the options request; returns the damage.
  private func draw(_ slot: FrameSlot, frame: UInt32) -> Damage {
    var number = frame
    if program.still {
      // Each slot keeps the first picture drawn into it.
      if let drawn = drawnSlots[slot.index] { number = drawn } else { drawnSlots[slot.index] = frame }
      if number != frame { return .full }
    }
    guard let step = program.rows, step > 0, slot.age > 0, !program.still else {
      unsafe Pattern.draw(
        slot.pixels, width: layout.width, rows: 0..<layout.height, strideBytes: layout.strideBytes, frame: number)
      return .full
    }
    // The rows of this frame, and those that changed since this slot was new.
    var damage = DamageRegion()
    for back in 0..<slot.age {
      let old = number &- UInt32(truncatingIfNeeded: back)
      let rows = band(old, step: step)
      unsafe Pattern.draw(
        slot.pixels, width: layout.width, rows: rows, strideBytes: layout.strideBytes, frame: old)
      if back == 0 { damage.add(Rect(x: 0, y: rows.lowerBound, width: layout.width, height: rows.count)) }
    }
    unsafe Pattern.draw(
      slot.pixels, width: layout.width, rows: 0..<min(Pattern.numberRows, layout.height),
      strideBytes: layout.strideBytes, frame: number)
    damage.add(Rect(x: 0, y: 0, width: layout.width, height: min(Pattern.numberRows, layout.height)))
    return .region(damage)
  }

  private func band(_ frame: UInt32, step: Int) -> Range<Int> {
    let start = Int(frame) * step % layout.height
    return start..<min(start + step, layout.height)
  }

  private func sleep(until deadline: UInt64) {
    screen.readEvents()
    let now = monotonicNanoseconds()
    if deadline > now { pause(nanoseconds: deadline - now) }
  }

  func hold(nanoseconds: UInt64) { pause(nanoseconds: nanoseconds) }

  /// One line of figures: `frames=… flipped=… …`.
  var summary: String {
    let seconds = Double(endedAt - startedAt) / 1e9
    let rate = seconds > 0 ? Double(presented) / seconds : 0
    let rounded = Double(Int(rate * 10)) / 10
    return "frames=\(presented) flipped=\(screen.flippedCount) superseded=\(screen.supersededCount) "
      + "failed=\(screen.failedCount) refused=\(screen.refusalCount) fps=\(rounded) "
      + "size=\(layout.width)x\(layout.height) stride=\(layout.strideBytes) ms=\(Int(seconds * 1000))"
  }
}
