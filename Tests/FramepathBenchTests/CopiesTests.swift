import LinuxIO
import TestSupport
import Testing

@testable import FramepathBench

/// The paper's table 1 with the real programs.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct CopiesTests {
  let programs = BenchPrograms(folder: Programs.folder)

  private func paths(_ change: (inout CopiesBench) -> Void) throws -> [CopiesReport.Path] {
    var bench = CopiesBench(programs)
    bench.frames = 30
    change(&bench)
    return try #require(try bench.run().sizes.first).paths
  }

  @Test func `a frame of 1000 bytes takes three transfers, two and one`() throws {
    let paths = try paths { _ in }
    #expect(paths.map(\.path) == [.legacy, .hybrid, .direct])
    #expect(paths.map(\.transfers) == [90, 60, 30])
    #expect(paths.map(\.movedBytesPerFrame) == [3000, 2000, 1000])
    for path in paths {
      #expect(path.isPictureRight, "\(path.path)")
      #expect(path.scannedOut + path.superseded == 30)
      #expect(path.copiedBytes == path.cpuCopies * 1000)
    }
  }

  @Test(arguments: [(250, 1), (320, 200)])
  func `the interposed memcpy agrees with the ledger`(width: Int, height: Int) throws {
    let paths = try paths {
      $0.sizes = [(width, height)]
      $0.paths = [.hybrid, .direct]
    }
    #expect(paths[0].copiedBytes == UInt64(30 * width * height * 4))
    #expect(paths[0].interposedBytes == paths[0].copiedBytes)
    #expect(paths[1].copiedBytes == 0)
    #expect(paths[1].interposedBytes == 0)
  }

  @Test func `the classic path does not need an X server`() throws {
    let path = try #require(
      try paths {
        $0.paths = [.legacy]
        $0.usesXServer = false
      }.first)
    #expect(path.means == "plain buffers in shared memory")
    #expect(path.transfers == 90)
    #expect(path.isPictureRight)
  }

  @Test func `a checksum ignores the unused byte and includes all others`() {
    let sum = { (bytes: [UInt8]) in
      var checksum = PictureChecksum()
      bytes.withUnsafeBytes { checksum.add($0) }
      return checksum
    }
    #expect(sum([1, 2, 3, 0, 4, 5, 6, 0]) == sum([1, 2, 3, 9, 4, 5, 6, 8]))
    #expect(sum([1, 2, 3, 0]) != sum([1, 2, 4, 0]))
    #expect(sum([1, 2, 3, 0, 4, 5, 6, 0]) != sum([4, 5, 6, 0, 1, 2, 3, 0]))
  }
}
