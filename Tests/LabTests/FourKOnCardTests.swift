import Foundation
import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel
import Testing

/// Guests with large screens on a real DRM driver. Runs inside the lab's KMS VM, where `KMSHostTests` start it.
@Suite("4K on a card", .serialized, .enabled(if: Lab.card != nil))
struct FourKOnCardTests {
  private static let (width, height) = (3840, 2160)

  @Test func `guests flip 3840x2160 on every connector without a copy, and their pixels are on the screen`() throws {
    let card = try #require(Lab.card)
    let connectors = try LinuxFile.list("/sys/class/drm").filter { $0.hasPrefix("card0-Virtual-") }.sorted().map {
      String($0.dropFirst("card0-".count))
    }
    let size = "\(FourKOnCardTests.width)x\(FourKOnCardTests.height)"
    let host = try LabHost(outputs: connectors.map { "kms:\(card):\($0):\(size)" })
    let guests = try connectors.map {
      try CardGuest(
        host: host, vm: "on-\($0)", width: FourKOnCardTests.width, height: FourKOnCardTests.height, pieceBytes: 1 << 21)
    }
    for frame in UInt8(1)...20 { for guest in guests { try guest.flip(grey: frame) } }
    for (number, guest) in guests.enumerated() {
      let rows = DiagonalRows(seed: UInt32(number))
      rows.forEach { guest.write($0, row: $1) }
      try guest.flip()
    }

    var isJudged = false
    for (number, connector) in connectors.enumerated() {
      let seen = try host.wholeSnapshot(output: connector)
      #expect(DiagonalRows(seed: UInt32(number)).wrongRows(in: seen.mapped) == 0)
      isJudged = seen.fromWriteback
    }
    // The picture is judged by writeback. Linux 6.12's vkms does not support it beside the monitor's connector; there
    // the kernel's CRC judges.
    if !isJudged {
      for grey: UInt8 in [0x37, 0xC5] {
        try guests[0].flip(grey: grey)
        let wanted = FrameCRC.ofUniformFrame(
          grey: grey, width: FourKOnCardTests.width, height: FourKOnCardTests.height)
        #expect(try FrameCRC.settles(on: wanted))
      }
    }
    for connector in connectors {
      let scanout = try host.status().scanout(vm: "on-\(connector)")
      print(
        "lab: \(connector): \(scanout.framesFlipped) flips of \(scanout.width ?? 0)x\(scanout.height ?? 0), "
          + "\(scanout.cpuCopies) copies of \(scanout.copiedBytes) bytes, judged by \(isJudged ? "writeback" : "the kernel's CRC")"
      )
      #expect(scanout.output == connector)
      #expect(scanout.framesFlipped >= 21)
      #expect(scanout.path == .direct)
      #expect(scanout.cpuCopies == 0)
      #expect(scanout.copiedBytes == 0)
    }
    for guest in guests { guest.end() }
  }

  /// A picture in which every row is another piece of one row of noise: any shift or mix-up shows, and an emulated
  /// processor computes few pixels.
  private struct DiagonalRows {
    private let noise: [UInt32]
    private static let step = 5

    init(seed: UInt32) {
      let width = FourKOnCardTests.width + FourKOnCardTests.height * DiagonalRows.step
      // The unused byte is 0xFF, as in a writeback.
      noise = Picture.noise(width: width, height: 1, seed: seed).pixels.map { $0 | 0xFF00_0000 }
    }

    func forEach(_ body: (UnsafeRawBufferPointer, Int) -> Void) {
      noise.withUnsafeBytes { bytes in
        for row in 0..<FourKOnCardTests.height {
          let start = row * DiagonalRows.step * 4
          body(UnsafeRawBufferPointer(rebasing: bytes[start..<start + FourKOnCardTests.width * 4]), row)
        }
      }
    }

    /// Rows of a picture that differ, colours only.
    func wrongRows(in picture: MappedBuffer) -> Int {
      guard picture.layout.width == FourKOnCardTests.width, picture.layout.height == FourKOnCardTests.height else {
        return FourKOnCardTests.height
      }
      var count = 0
      picture.beginAccess(read: true)
      forEach { row, number in
        let found = UnsafeRawBufferPointer(
          start: picture.pixels + number * picture.layout.strideBytes, count: row.count)
        // All bytes first: it is quick, but a hardware's fourth byte may be anything.
        if let first = found.baseAddress, let second = row.baseAddress, memcmp(first, second, row.count) == 0 { return }
        if !zip(found.bindMemory(to: UInt32.self), row.bindMemory(to: UInt32.self)).allSatisfy({ ($0 ^ $1) << 8 == 0 })
        {
          count += 1
        }
      }
      picture.endAccess(read: true)
      return count
    }
  }
}
