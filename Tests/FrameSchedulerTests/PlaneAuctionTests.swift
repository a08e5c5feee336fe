import FrameScheduler
import FrameSimulator
import Testing

/// The auction of overlay planes.
@Suite("Plane auction")
struct PlaneAuctionTests {
  private func bid(
    _ vm: UInt32, bytes: Int64 = 1_000_000, announced: Int64 = 60_000, weight: Int64 = 100, planes: UInt64 = 0b11
  ) -> PlaneBid {
    PlaneBid(
      vm: VMID(vm), byteCount: bytes, announcedMillihertz: announced, grantedMillihertz: 60_000, weight: weight,
      planes: planes, signature: UInt64(vm))
  }

  /// Holds auctions until nothing changes; refuses the signatures given. Returns how many tests each vblank had.
  private func settle(
    _ auction: inout PlaneAuction, _ bids: [PlaneBid], planes: UInt64, refusing: Set<UInt64> = [], vblanks: Int64 = 64
  ) -> Int {
    var tests = 0
    for vblank in 0..<vblanks {
      let now = vblank * 16_666_667
      guard
        let proposal = auction.propose(bids, planes: planes, vblank: vblank, layoutChanged: vblank == 0, at: now)
      else { continue }
      tests += 1
      auction.tested(passes: !refusing.contains(proposal.signature), at: now)
    }
    return tests
  }

  @Test func `the value of the planes given is at least half the best possible (brute force)`() {
    var random = SeededGenerator(seed: 1)
    for _ in 0..<300 {
      let bids = (0..<UInt32.random(in: 1...6, using: &random)).map { vm in
        bid(
          vm, bytes: Int64.random(in: 1...9_000_000, using: &random), planes: UInt64.random(in: 0...7, using: &random))
      }
      var auction = PlaneAuction()
      _ = settle(&auction, bids, planes: 0b111)
      let got = auction.assignments.reduce(Int64(0)) { sum, held in
        sum + (bids.first { $0.vm == held.vm }?.value ?? 0)
      }
      #expect(Set(auction.assignments.map(\.plane)).count == auction.assignments.count)
      #expect(got * 2 >= best(bids[...], planes: 0b111))
    }
  }

  private func best(_ bids: ArraySlice<PlaneBid>, planes: UInt64) -> Int64 {
    guard let first = bids.first else { return 0 }
    var highest = best(bids.dropFirst(), planes: planes)
    for plane in 0..<3 as Range<UInt64> where planes & first.planes & (1 << plane) != 0 {
      highest = max(highest, first.value + best(bids.dropFirst(), planes: planes & ~(1 << plane)))
    }
    return highest
  }

  @Test func `announcing more frames than are granted wins nothing`() {
    #expect(bid(1, announced: 100_000_000).value == bid(1, announced: 60_000).value)
    #expect(bid(1, bytes: .max, announced: 60_000, weight: 10_000).value == .max)
  }

  @Test func `a format that always fails costs a few tests, and the other VM has its plane`() {
    var auction = PlaneAuction()
    let bids = [bid(1, bytes: 9_000_000, planes: 1), bid(2, bytes: 1_000_000, planes: 1)]
    let tests = settle(&auction, bids, planes: 1, refusing: [1], vblanks: 3_600)
    #expect(auction.plane(of: VMID(2)) == 0)
    #expect(tests <= 16)
  }

  @Test func `a gain below a fifth changes nothing, a greater one does`() {
    var auction = PlaneAuction()
    _ = settle(&auction, [bid(1, bytes: 1_000_000, planes: 1)], planes: 1)
    let slightly = [bid(1, bytes: 1_000_000, planes: 1), bid(2, bytes: 1_100_000, planes: 1)]
    #expect(auction.propose(slightly, planes: 1, vblank: 100, layoutChanged: false, at: 0) == nil)
    let clearly = [bid(1, bytes: 1_000_000, planes: 1), bid(2, bytes: 1_300_000, planes: 1)]
    #expect(auction.propose(clearly, planes: 1, vblank: 200, layoutChanged: false, at: 0)?.vm == VMID(2))
  }

  @Test func `a VM whose real commit failed loses its plane`() {
    var auction = PlaneAuction()
    _ = settle(&auction, [bid(1, planes: 1)], planes: 1)
    #expect(auction.plane(of: VMID(1)) == 0)
    auction.commitFailed(VMID(1), at: 2_000_000_000)
    #expect(auction.plane(of: VMID(1)) == nil)
    #expect(auction.propose([bid(1, planes: 1)], planes: 1, vblank: 500, layoutChanged: true, at: 2_000_000_001) == nil)
  }

  @Test func `a plane whose commits fail although every test passes is tried ever more rarely`() {
    var auction = PlaneAuction()
    var tries = 0
    // Ten seconds at 60 Hz.
    for vblank: Int64 in 0..<600 {
      let now = vblank * 16_666_667
      let proposal = auction.propose(
        [bid(1, planes: 1)], planes: 1, vblank: vblank, layoutChanged: vblank == 0, at: now)
      guard proposal != nil else { continue }
      tries += 1
      auction.tested(passes: true, at: now)
      auction.commitFailed(VMID(1), at: now)
    }
    #expect((2...8).contains(tries))
  }
}
