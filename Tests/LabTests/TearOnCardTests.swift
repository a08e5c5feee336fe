import CDRM
import Glibc
import LinuxIO
import StatusModel
import TestSupport
import Testing

/// Detects torn frames by the kernel's CRCs. Runs inside the lab's KMS VM on vkms, started by `KMSHostTests`.
///
/// A guest fills each frame with its own colour, in pages that are scanned out directly, and the kernel reports the CRC
/// of every displayed frame. A CRC that is not one of a uniform picture means that the frame was shown while it was
/// drawn.
@Suite("Tearing on a card", .serialized, .enabled(if: Lab.card != nil && FrameCRCs.isThere))
struct TearOnCardTests {
  @Test func `two thousand frames of a paced guest are whole, and their numbers only rise`()
    throws
  {
    let stage = try TearStage()
    let seen = try stage.show(2000, waits: true)
    let scanout = try stage.host.status().scanout(vm: "web")
    print("lab: \(seen)")
    #expect(seen.torn == 0)
    #expect(seen.fallen == 0)
    #expect(seen.frames >= 2000)
    #expect(scanout.path == .direct)
    #expect(scanout.cpuCopies == 0)
    #expect(scanout.copiedBytes == 0)
  }

  @Test func `the test detects the tearing of a guest that does not wait`() throws {
    let stage = try TearStage()
    let seen = try stage.show(500, waits: false)
    print("lab: \(seen)")
    #expect(seen.torn > 0)
  }
}

/// A guest's driver, the real backend and daemon, and the kernel's CRCs.
private final class TearStage {
  struct Seen: CustomStringConvertible {
    /// CRCs that were judged.
    var crcs = 0
    /// Those that none of the guest's frames has.
    var torn = 0
    /// Different frames that were displayed.
    var frames = 0
    /// Frames that were displayed after a later one.
    var fallen = 0
    /// Flips without a verdict.
    var late = 0

    var description: String {
      "\(crcs) displayed, \(frames) different frames, \(torn) torn, \(fallen) fallen back; \(late) flips were late"
    }
  }

  let host: LabHost
  private let guest: CardGuest
  private let card: String
  /// The last vblank with a received CRC.
  private var newest: UInt32 = 0

  /// A small mode: the driver composes in software, and in an emulated machine it would fall behind its own vblanks.
  init() throws {
    card = try #require(Lab.card)
    host = try LabHost(outputs: ["kms:\(card):Virtual-1:160x120"])
    guest = try CardGuest(host: host, vm: "web", width: 160, height: 120)
  }

  deinit { guest.end() }

  /// Shows frames until `count` different ones were displayed and judged.
  ///
  /// vkms composes a frame some time after it has reported the flip, on a busy machine long after. The guest draws into
  /// a released buffer only when its last vblank is composed; a real display engine would no longer read it.
  ///
  /// A flush is answered after 45 ms at the latest: Linux does not wait longer, and may then draw into pages on screen.
  /// On a busy machine flips can be that late; frames displayed around them are not judged.
  func show(_ count: Int, waits: Bool) throws -> Seen {
    let crcs = try FrameCRCs()
    let counter = try VblankCounter(card)
    let palette = try learn(crcs)
    var numbers: [UInt32: Int] = [:]
    for number in 0..<5 * count { numbers[palette.crc(colour(number))] = number }
    #expect(numbers.count == 5 * count)

    var seen = Seen()
    var last = 0
    var untilJudged = 3
    for number in 0..<5 * count where seen.frames < count {
      let begun = monotonicNanoseconds()
      try guest.flip(colour: colour(number), waits: waits)
      untilJudged = monotonicNanoseconds() - begun > 40_000_000 ? 3 : max(untilJudged - 1, 0)
      let displayed = try composed(before: try counter.count(), crcs)
      guard untilJudged == 0 else {
        seen.late += 1
        continue
      }
      for frame in displayed {
        seen.crcs += 1
        guard let number = numbers[frame.crc] else {
          seen.torn += 1
          continue
        }
        if number != last { seen.frames += 1 }
        if number < last { seen.fallen += 1 }
        last = number
      }
    }
    return seen
  }

  /// The received CRCs, once all before this vblank have been received.
  private func composed(before vblank: UInt32, _ crcs: borrowing FrameCRCs) throws -> [DisplayedFrame] {
    var displayed = crcs.drain()
    let deadline = monotonicNanoseconds() + 2_000_000_000
    newest = displayed.last?.vblank ?? newest
    while Int32(bitPattern: vblank &- newest) > 1 {
      guard monotonicNanoseconds() < deadline else {
        throw LabError("no CRC of vblank \(vblank &- 1), only of \(newest)")
      }
      try LabHost.pause(milliseconds: 1)
      displayed += crcs.drain()
      newest = displayed.last?.vblank ?? newest
    }
    return displayed
  }

  /// A frame's colour: no two have the same one, and neighbours differ in all channels.
  private func colour(_ number: Int) -> UInt32 { UInt32(truncatingIfNeeded: number) &* 0x9E_3779 & 0xff_ffff }

  /// CRCs of uniform pictures. A CRC is linear in the bits, and each bit of a colour is always the same bits of the
  /// picture: black and the 24 colours of one bit give all.
  private struct Palette {
    var black: UInt32
    /// The change of black's CRC by each bit.
    var changes: [UInt32] = []

    func crc(_ colour: UInt32) -> UInt32 {
      changes.indices.reduce(black) { colour >> $1 & 1 == 1 ? $0 ^ changes[$1] : $0 }
    }
  }

  private func learn(_ crcs: borrowing FrameCRCs) throws -> Palette {
    try guest.flip(colour: 0)
    var palette = Palette(black: try settled(crcs))
    for bit in 0..<24 {
      try guest.flip(colour: 1 << bit)
      palette.changes.append(try settled(crcs) ^ palette.black)
    }
    return palette
  }

  /// The CRC of the picture that has been on screen for some frames.
  private func settled(_ crcs: borrowing FrameCRCs) throws -> UInt32 {
    try LabHost.pause(milliseconds: 100)
    _ = crcs.drain()
    var last: [UInt32] = []
    for _ in 0..<500 {
      try LabHost.pause(milliseconds: 20)
      last = (last + crcs.drain().map(\.crc)).suffix(4)
      if last.count == 4, Set(last).count == 1 { return last[0] }
    }
    throw LabError("the kernel tells no steady CRC: \(last)")
  }
}

/// The vblanks of a card's first CRTC, as the kernel counts them.
struct VblankCounter: ~Copyable {
  private let card: OwnedFD
  private let crtc: UInt32

  init(_ path: String) throws {
    let card = try OwnedFD.open(path, flags: O_RDWR)
    let resources = try #require(drmModeGetResources(card.raw))
    defer { drmModeFreeResources(resources) }
    crtc = resources.pointee.crtcs[0]
    self.card = card
  }

  func count() throws -> UInt32 {
    var sequence: UInt64 = 0
    guard drmCrtcGetSequence(card.raw, crtc, &sequence, nil) == 0 else { throw LabError("the card counts no vblanks") }
    return UInt32(truncatingIfNeeded: sequence)
  }
}
