import CAllocationCounter
import Glibc
import LinuxIO
import Scanout
import Testing

@testable import GraphicsMemory

/// A picture in memory whose pixels all differ from their neighbours.
private final class Canvas {
  let pixels: UnsafeMutablePointer<UInt32>
  let count: Int
  var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(pixels) }
  var content: [UInt32] { Array(UnsafeBufferPointer(start: pixels, count: count)) }

  init(_ count: Int, pixel: (Int) -> UInt32 = { _ in 0xDEAD_BEEF }) {
    self.count = count
    pixels = .allocate(capacity: count)
    for index in 0..<count { pixels[index] = pixel(index) }
  }

  deinit { pixels.deallocate() }
}

/// Threads of this process by their names in /proc.
private func copyThreads() throws -> [String] {
  try LinuxFile.list("/proc/self/task").filter {
    LinuxFile.text("/proc/self/task/\($0)/comm")?.hasPrefix("framepath-copy") == true
  }
}

@Suite("Copy workers", .serialized)
struct CopyWorkersTests {
  private static let width = 1001
  private static let height = 900
  private static let stride = 1024

  @Test(arguments: [1, 2, 3, 8])
  func `a shared copy is the copy that one thread makes, and each byte is counted once`(threadCount: Int) {
    let workers = CopyWorkers(threadCount: threadCount, isAdaptive: false)
    let source = Canvas(Self.stride * Self.height) { UInt32(truncatingIfNeeded: $0 &* 2_654_435_761) }
    for rect in [
      Rect(x: 3, y: 5, width: 990, height: 880), Rect(x: 0, y: 0, width: Self.stride, height: Self.height),
      Rect(x: 17, y: 0, width: 150, height: Self.height), Rect(x: 0, y: 899, width: 1001, height: 1),
    ] {
      var expected = CopyLedger()
      var ledger = CopyLedger()
      let alone = Canvas(Self.stride * Self.height)
      let shared = Canvas(Self.stride * Self.height)
      expected.copyRect(
        rect, from: source.base, sourceStrideBytes: Self.stride * 4, to: alone.base,
        destinationStrideBytes: Self.stride * 4)
      for round in 1...20 {
        ledger.copyRect(
          rect, from: source.base, sourceStrideBytes: Self.stride * 4, to: shared.base,
          destinationStrideBytes: Self.stride * 4, workers: workers)
        #expect(ledger.copiedBytes == UInt64(round * rect.width * rect.height * 4))
      }
      #expect(expected.copiedBytes == UInt64(rect.width * rect.height * 4))
      #expect(shared.content == alone.content)
    }
  }

  @Test func `a shared conversion is the conversion that one thread makes`() {
    let workers = CopyWorkers(threadCount: 4, isAdaptive: false)
    let source = Canvas(Self.stride * Self.height) { UInt32(truncatingIfNeeded: $0 &* 2_654_435_761) }
    let rect = Rect(x: 7, y: 1, width: 900, height: 890)
    var ledger = CopyLedger()
    let alone = Canvas(900 * 890)
    let shared = Canvas(900 * 890)
    ledger.convertRect(
      rect, from: source.base, sourceStrideBytes: Self.stride * 4, format: .rgba8888, to: alone.base,
      destinationStrideBytes: 3600)
    ledger.convertRect(
      rect, from: source.base, sourceStrideBytes: Self.stride * 4, format: .rgba8888, to: shared.base,
      destinationStrideBytes: 3600, workers: workers)
    #expect(shared.content == alone.content)
    #expect(ledger.copiedBytes == 2 * 900 * 890 * 4)
  }

  @Test(arguments: [1, 4])
  func `a shared copy of scattered pages leaves out the bytes past the last page`(threadCount: Int) {
    let workers = CopyWorkers(threadCount: threadCount, isAdaptive: false)
    let pageBytes = 4096
    let pageCount = 500
    let source = Canvas(pageCount * pageBytes / 4) { UInt32(truncatingIfNeeded: $0) }
    // The pages in reverse order, the last of them too short.
    var segments: [MemorySegment] = []
    for page in 0..<pageCount {
      segments.append(
        MemorySegment(
          start: page * pageBytes, byteCount: page == pageCount - 1 ? 100 : pageBytes,
          base: source.base + (pageCount - 1 - page) * pageBytes))
    }
    let offset = 12
    let rowBytes = 4000
    let rowCount = (pageCount * pageBytes - offset) / 4064
    let target = Canvas(rowCount * rowBytes / 4)
    var ledger = CopyLedger()
    segments.withUnsafeBufferPointer {
      ledger.copyRows(
        rowCount, rowBytes: rowBytes, from: $0, offset: offset, sourceStrideBytes: 4064, to: target.base,
        destinationStrideBytes: rowBytes, workers: workers)
    }
    let end = (pageCount - 1) * pageBytes + 100
    var expected = [UInt32](repeating: 0xDEAD_BEEF, count: target.count)
    var bytes: UInt64 = 0
    for row in 0..<rowCount {
      for column in 0..<rowBytes / 4 {
        let place = offset + row * 4064 + column * 4
        if place >= end { continue }
        expected[row * rowBytes / 4 + column] = UInt32(
          ((pageCount - 1 - place / pageBytes) * pageBytes + place % pageBytes) / 4)
        bytes += 4
      }
    }
    #expect(target.content == expected)
    #expect(ledger.copiedBytes == bytes)
  }

  @Test func `threads start with the first large copy, sleep after it and end with their owner`() throws {
    let before = Set(try copyThreads())
    let canvas = Canvas(1 << 20)
    let target = Canvas(1 << 20)
    var ledger = CopyLedger()
    do {
      let workers = CopyWorkers(threadCount: 4, isAdaptive: false)
      ledger.copyRows(
        127, rowBytes: 4096, from: canvas.base, sourceStrideBytes: 4096, to: target.base, destinationStrideBytes: 4096,
        workers: workers)
      #expect(try Set(copyThreads()) == before, "\(127 * 4096) bytes are fewer than the threshold")
      ledger.copyRows(
        1024, rowBytes: 4096, from: canvas.base, sourceStrideBytes: 4096, to: target.base,
        destinationStrideBytes: 4096, workers: workers)
      let threads = Set(try copyThreads()).subtracting(before)
      #expect(threads.count == 3)
      for thread in threads {
        // Sleeping: the state is the third field behind the name.
        let deadline = monotonicNanoseconds() + 5_000_000_000
        var state: Substring?
        repeat {
          let fields = LinuxFile.text("/proc/self/task/\(thread)/stat")?.split(separator: ")").last
          state = fields?.split(separator: " ").first
        } while state != "S" && monotonicNanoseconds() < deadline
        #expect(state == "S")
        let blocked = LinuxFile.text("/proc/self/task/\(thread)/status")?.split(separator: "\n")
          .first { $0.hasPrefix("SigBlk:") }?.split(separator: "\t").last
        // All but SIGKILL, SIGSTOP, two of glibc's own, and its faults: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
        let mask = try #require(blocked.flatMap { UInt64($0, radix: 16) })
        let faults: UInt64 = 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 30
        #expect(~mask & ~(1 << 8 | 1 << 18 | 1 << 31 | 1 << 32) == faults, "\(String(mask, radix: 16))")
      }
    }
    #expect(try Set(copyThreads()) == before)
  }

  @Test func `threads that meet missing memory copy zeros`() throws {
    let workers = CopyWorkers(threadCount: 4, isAdaptive: false)
    let byteCount = 2 << 20
    let target = Canvas(byteCount / 4)
    // A thread must have been the first to meet a missing page once: the calling one copies pieces too.
    for round in 0..<10 {
      let memory = SharedFD(try MemFD.createEmpty(name: "test"))
      try #require(ftruncate(memory.raw, byteCount) == 0)
      let mapping = try Mapping(fd: memory.raw, byteCount: byteCount, writable: false)
      #expect(ftruncate(memory.raw, round % 2 == 0 ? 0 : byteCount / 2) == 0)
      var ledger = CopyLedger()
      ledger.copyRows(
        byteCount / 4096, rowBytes: 4096, from: mapping.base, sourceStrideBytes: 4096, to: target.base,
        destinationStrideBytes: 4096, workers: workers)
      #expect(mapping.isSpoilt == true)
      #expect(target.content.allSatisfy { $0 == 0 })
    }
  }

  @Test func `a copy allocates nothing`() {
    guard framepath_counts_allocations() == 1 else { return }
    let workers = CopyWorkers(threadCount: 3)
    let canvas = Canvas(1 << 20)
    let target = Canvas(1 << 20)
    var ledger = CopyLedger()
    let copy = {
      ledger.copyRows(
        1024, rowBytes: 4096, from: canvas.base, sourceStrideBytes: 4096, to: target.base,
        destinationStrideBytes: 4096, workers: workers)
    }
    copy()
    let before = framepath_allocation_count()
    for _ in 0..<50 { copy() }
    #expect(framepath_allocation_count() == before)
  }
}

@Suite("Worker gauge")
struct WorkerGaugeTests {
  /// How many of `count` copies are shared where sharing makes them `gain` times as fast.
  private func sharedCount(_ gauge: inout WorkerGauge, of count: Int, gain: Double) -> Int {
    var shared = 0
    for _ in 0..<count where gauge.isSharingNext() {
      shared += 1
      // The calling thread copied a half of a copy that takes it 1 ms alone.
      gauge.note(
        totalBytes: 1_000_000, ownBytes: 500_000, ownNanoseconds: 500_000,
        totalNanoseconds: UInt64(1_000_000 / gain))
    }
    return shared
  }

  @Test func `helpers that make copies faster are always used`() {
    var gauge = WorkerGauge()
    #expect(sharedCount(&gauge, of: 1000, gain: 1.8) == 1000)
  }

  @Test func `helpers that gain nothing are hardly ever woken`() {
    var gauge = WorkerGauge()
    #expect(sharedCount(&gauge, of: 1000, gain: 0.98) < 20)
    #expect(sharedCount(&gauge, of: 10_000, gain: 0.98) < 20)
  }

  @Test func `helpers are used again when the host is quiet again`() {
    var gauge = WorkerGauge()
    _ = sharedCount(&gauge, of: 10_000, gain: 0.9)
    _ = sharedCount(&gauge, of: WorkerGauge.longestRest, gain: 3)
    #expect(sharedCount(&gauge, of: 1000, gain: 3) == 1000)
  }

  @Test func `a single slow copy does not stop the helpers`() {
    var gauge = WorkerGauge()
    _ = sharedCount(&gauge, of: 10, gain: 3)
    _ = sharedCount(&gauge, of: 1, gain: 0.2)
    #expect(sharedCount(&gauge, of: 100, gain: 3) == 100)
  }
}
