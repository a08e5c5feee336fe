import GraphicsMemory
import LinuxIO
import Scanout
import Testing

@Suite("Copy ledger")
struct CopyLedgerTests {
  @Test func `a copied rectangle lands at its place, and nothing around it changes`() throws {
    let source = (0..<64).map { UInt32($0) }
    var destination = [UInt32](repeating: 0xFFFF_FFFF, count: 80)
    var ledger = CopyLedger()

    // An 8 x 8 picture into one whose rows are 10 pixels apart.
    source.withUnsafeBytes { from in
      destination.withUnsafeMutableBytes { to in
        guard let from = from.baseAddress, let to = to.baseAddress else { return }
        ledger.copyRect(
          Rect(x: 2, y: 3, width: 4, height: 2), from: from, sourceStrideBytes: 32, to: to, destinationStrideBytes: 40)
      }
    }

    var expected = [UInt32](repeating: 0xFFFF_FFFF, count: 80)
    for y in 3..<5 { for x in 2..<6 { expected[y * 10 + x] = UInt32(y * 8 + x) } }
    #expect(destination == expected)
    #expect(ledger.copiedBytes == 4 * 2 * 4)
    #expect(ledger.copyCalls == 2)
  }

  @Test func `whole rows of equal strides go in one piece`() throws {
    let source = [UInt32](repeating: 7, count: 64)
    var destination = [UInt32](repeating: 0, count: 64)
    var ledger = CopyLedger()
    source.withUnsafeBytes { from in
      destination.withUnsafeMutableBytes { to in
        guard let from = from.baseAddress, let to = to.baseAddress else { return }
        ledger.copyRect(
          Rect(x: 0, y: 2, width: 8, height: 5), from: from, sourceStrideBytes: 32, to: to, destinationStrideBytes: 32)
      }
    }
    #expect(destination.filter { $0 == 7 }.count == 40)
    #expect(ledger.copiedBytes == 160)
    #expect(ledger.copyCalls == 1)
  }

  @Test func `an empty rectangle copies and counts nothing`() {
    var ledger = CopyLedger()
    var byte: UInt8 = 0
    withUnsafeMutableBytes(of: &byte) { bytes in
      guard let base = bytes.baseAddress else { return }
      ledger.copyRect(.empty, from: base, sourceStrideBytes: 0, to: base, destinationStrideBytes: 0)
    }
    #expect(ledger == CopyLedger())
  }
}

@Suite("Frame layout")
struct FrameLayoutTests {
  @Test(arguments: [
    (0, 1, 4), (1, 0, 4), (-1, 1, 4), (16385, 1, 65540), (1, 16385, 4), (2, 1, 7), (1, 1, Int.max), (1, 1, -4),
  ])
  func `numbers that contradict each other or overflow are refused`(width: Int, height: Int, stride: Int) {
    #expect(FrameLayout(width: width, height: height, strideBytes: stride, format: .xrgb8888) == nil)
  }

  @Test func `the last row needs only its pixels`() throws {
    let layout = try #require(FrameLayout(width: 3, height: 2, strideBytes: 64, offset: 128, format: .xrgb8888))
    #expect(layout.byteCount == 128 + 64 + 12)
  }

  @Test func `memory that is too small for its layout is not mapped`() throws {
    let layout = try #require(FrameLayout(width: 64, height: 64, strideBytes: 256, format: .xrgb8888))
    let fd = SharedFD(try MemFD.create(name: "test", byteCount: 4096))
    #expect(throws: SystemError.self) {
      _ = try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: 4096)
    }
  }
}
