import LinuxIO
import Outputs
import Scanout
import ServerSupport
import Testing

@testable import FrameScheduler
@testable import PresentServer

@Suite("The charge of copies in tiles")
struct CopyChargeTests {
  /// 1080p is planned with 2.07 ms: two orders, the second one short.
  private let size = (width: 1920, height: 1080)

  @Test func `a promised frame of two orders that is copied within its plan does not overrun its promise`() throws {
    let bench = try Bench([FakeOutput(width: size.width, height: size.height)])
    let server = try #require(bench.server)
    try server.apply("[outputs]\nlayout = \"tile\"\npolicy = \"sla\"\n[vm.vm]\nsla = 30")
    let client = try bench.client()
    try client.makeBuffer(1, size.width, size.height)
    // The first copy has the page faults of new buffers in it, and the third finds both back buffers filled.
    for frame: UInt64 in 1...3 {
      try client.present(frame, 1, source: Rect(width: size.width, height: size.height))
      #expect(try bench.run { bench.output.isCommitPending })
      if frame == 3 { break }
      bench.output.vblank()
    }
    let vm = try #require(server.presenters.first?.schedule.state.vms.first)
    #expect(vm.statistics.missed == 0, "\(vm.statistics)")
    #expect(vm.statistics.blitNanoseconds > 4_000_000)
  }
}
