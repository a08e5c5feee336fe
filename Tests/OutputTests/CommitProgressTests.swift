import LinuxIO
import Outputs
import Scanout
import Testing

@testable import KMS

@Suite("A commit that is not on screen yet")
struct CommitProgressTests {
  private let frame = OutputFrame(
    buffer: nil, source: Rect(width: 64, height: 48), damage: DamageRegion(), cursor: nil)

  /// The vblanks of a driver: number 100 was at 1000 ns, one every 10 ns.
  private func progress() throws -> CommitProgress {
    try CommitProgress(
      vblanks: .hardware(VblankClock(sequence: 100, timeNanoseconds: 1000, periodNanoseconds: 10)))
  }

  private func flip(_ number: UInt64, _ sequence: UInt32, at time: UInt64) -> PageFlip {
    PageFlip(crtcID: 1, commitNumber: number, timeNanoseconds: time, sequence: sequence)
  }

  @Test func `the kernel's event ends the commit, once`() throws {
    var progress = try progress()
    let number = progress.nextNumber()
    progress.begin(frame, target: 102)
    let isUnderWay = progress.isUnderWay
    #expect(isUnderWay)
    let ended = progress.flipped(flip(number, 102, at: 1020))
    let end = try #require(ended)
    #expect(end.sequence == 102 && end.timeNanoseconds == 1020 && !end.isLate)
    #expect(end.frame.source == frame.source)
    let isOver = !progress.isUnderWay
    #expect(isOver)
    let again = progress.flipped(flip(number, 103, at: 1030))
    #expect(again == nil)
  }

  @Test func `a commit that reaches a later vblank than it should is late`() throws {
    var progress = try progress()
    let number = progress.nextNumber()
    progress.begin(frame, target: 101)
    let ended = progress.flipped(flip(number, 102, at: 1020))
    #expect(try #require(ended).isLate)
    // A mode set has no vblank that it should reach.
    let next = progress.nextNumber()
    progress.begin(frame)
    let set = progress.flipped(flip(next, 190, at: 1900))
    #expect(try !#require(set).isLate)
  }

  @Test func `the event of an earlier commit does not end a later one`() throws {
    var progress = try progress()
    let earlier = progress.nextNumber()
    progress.begin(frame)
    progress.cancel()
    let later = progress.nextNumber()
    progress.begin(frame)
    let stale = progress.flipped(flip(earlier, 101, at: 1010))
    let isUnderWay = progress.isUnderWay
    #expect(stale == nil && isUnderWay)
    let ended = progress.flipped(flip(later, 102, at: 1020))
    #expect(ended != nil)
  }

  @Test func `a commit without an event ends with the timer only`() throws {
    var progress = try progress()
    let number = progress.nextNumber()
    progress.begin(frame)
    progress.resubmitted(waitsForKernel: false)
    let event = progress.flipped(flip(number, 101, at: 1010))
    let isUnderWay = progress.isUnderWay
    #expect(event == nil && isUnderWay)
    let ended = progress.timerExpired()
    #expect(try #require(ended).sequence > 101)
    let again = progress.timerExpired()
    #expect(again == nil)
  }

  @Test func `without vblanks of the driver the timer ends the commit at the next one of the grid`() throws {
    // A vblank every 1000 s, so that the next one does not come during the test.
    var progress = try CommitProgress(
      vblanks: .software(
        VblankGrid(epochNanoseconds: monotonicNanoseconds(), firstSequence: 7, refreshMillihertz: 1)))
    let number = progress.nextNumber()
    progress.begin(frame, target: 8)
    let event = progress.flipped(flip(number, 0, at: 0))
    let isUnderWay = progress.isUnderWay
    #expect(event == nil && isUnderWay)
    let ended = progress.timerExpired()
    #expect(try #require(ended).sequence == 8)
  }
}
