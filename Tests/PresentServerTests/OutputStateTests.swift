import DaemonSettings
import FrameScheduler
import LinuxIO
import Outputs
import Scanout
import ServerSupport
import StatusModel
import Testing

@testable import PresentServer

@Suite struct OutputSharingTests {
  @Test func `an output is tiled by its layout unless one VM at a time holds it`() {
    let grid = OutputLayout.grid(columns: 2, rows: 1)
    #expect(!OutputSharing().isTiled)
    #expect(OutputSharing(layout: grid).isTiled)
    #expect(OutputSharing(layout: grid, policy: .sla).isTiled)
    #expect(!OutputSharing(layout: grid, policy: .exclusive).isTiled)
    #expect(!OutputSharing(layout: .focus).isTiled)
  }

  @Test func `layout focus and lessees activate the exclusive policy and keep the requested one`() {
    let asked = OutputSharing(layout: .tile, policy: .weightedFair)
    #expect(asked.policy == .weightedFair && !asked.isExclusive)
    let leased = asked.with(lessees: true)
    #expect(leased.policy == .exclusive && leased.isExclusive && !leased.isTiled)
    #expect(leased.with(lessees: false) == asked)
    let focused = asked.with(layout: .focus)
    #expect(focused.policy == .exclusive && focused.requestedPolicy == .weightedFair)
    #expect(leased.with(policy: .fifo).with(lessees: false) == OutputSharing(layout: .tile, policy: .fifo))
  }
}

@Suite struct PowerControlTests {
  private let second: Nanoseconds = 1_000_000_000
  private let begin: Nanoseconds = 1_000_000_000_000

  private func limits(blank: Int64?, off: Int64?) -> IdleLimits {
    var limits = IdleLimits()
    (limits.blankSeconds, limits.offSeconds) = (blank, off)
    return limits
  }

  private func reason(_ power: PowerControl) -> DaemonStatus.Output.PowerReason? { .init(power) }

  @Test func `an output without changes is blanked and turned off at its timeouts, and a change turns it on`() throws {
    let (loop, clock) = (try EventLoop(), PresentClock())
    var power = PowerControl()
    #expect(!power.watchesIdle && power.effective == .on && reason(power) == nil)
    try power.setLimits(limits(blank: 10, off: 30), at: begin, on: loop, clock) {}
    #expect(power.watchesIdle)
    for (seconds, expected) in [(9, OutputPower.on), (10, .blank), (29, .blank), (30, .off), (99, .off)] {
      power.updateIdle(at: begin + Nanoseconds(seconds) * second)
      #expect(power.effective == expected)
    }
    #expect(reason(power) == .idle)
    power.pictureChanged(at: begin + 100 * second)
    power.updateIdle(at: begin + 109 * second)
    #expect(power.effective == .on)
    power.updateIdle(at: begin + 110 * second)
    #expect(power.effective == .blank)
    try power.setLimits(IdleLimits(), at: begin + 111 * second, on: loop, clock) {}
    #expect(!power.watchesIdle && power.effective == .on)
  }

  @Test func `a command is kept through changes, and the lower of the commanded and the idle power counts`() throws {
    let (loop, clock) = (try EventLoop(), PresentClock())
    var power = PowerControl()
    try power.setLimits(limits(blank: nil, off: 5), at: begin, on: loop, clock) {}
    power.command(.blank, at: begin)
    power.pictureChanged(at: begin + second)
    #expect(power.effective == .blank && reason(power) == .command)
    power.updateIdle(at: begin + 6 * second)
    #expect(power.effective == .off && reason(power) == .idle)
    power.command(.on, at: begin + 7 * second)
    #expect(power.effective == .on && reason(power) == nil)
  }

  @Test func `blank and off are committed once, and black does not wake a monitor that shows nothing`() throws {
    let output = FakeOutput()
    var power = PowerControl()
    power.command(.blank, at: begin)
    #expect(try !power.commitDarkness(on: output, hasPicture: false))
    #expect(output.commits.isEmpty && power.committed == .on)
    #expect(try power.commitDarkness(on: output, hasPicture: true))
    #expect(output.commits.count == 1 && output.commits[0].frame.buffer != nil && power.committed == .blank)
    output.vblank()
    #expect(try !power.commitDarkness(on: output, hasPicture: true))
    power.command(.off, at: begin)
    #expect(try power.commitDarkness(on: output, hasPicture: true))
    #expect(output.commits.count == 2 && output.commits[1].frame.buffer == nil && power.committed == .off)
    output.vblank()
    power.command(.on, at: begin)
    power.pictureCommitted()
    #expect(power.committed == .on)
  }
}
