import GraphicsMemory
import GuestMemory

/// The guest pages of a resource, in the order of its bytes.
///
/// Entries are guest addresses. They are resolved to pointers once, and again when the memory table changes.
@safe final class Backing {
  /// The most entries of one resource, as in QEMU.
  static let maxEntryCount = 16384
  /// Bytes of `struct virtio_gpu_mem_entry`.
  static let entryByteCount = 16
  /// The cost of an entry in bytes, for the memory limit.
  static let entryCost = 48

  private struct Entry {
    var address: UInt64
    var byteCount: Int
  }

  private let entries: ContiguousArray<Entry>
  private var runs: ContiguousArray<MemorySegment> = unsafe []
  /// The total bytes of all entries.
  let byteCount: Int
  /// Whether every byte is guest memory now.
  var isResolved: Bool { missingAddress == nil }
  /// The first entry that is not guest memory; nil if all are.
  private(set) var missingAddress: UInt64?

  /// Decodes and resolves the entries of an ATTACH_BACKING or RESOURCE_CREATE_BLOB; the caller checks `missingAddress`.
  ///
  /// - Parameter bytes: a private copy of the bytes after the command; bytes after the entries are ignored.
  /// - Throws: `.unspecified` for no, too many, missing or empty entries.
  init(_ bytes: UnsafeRawBufferPointer, entryCount: UInt32, memory: GuestMemory) throws(GPUError) {
    guard entryCount > 0, entryCount <= Backing.maxEntryCount,
      Int(entryCount) * Backing.entryByteCount <= bytes.count
    else { throw .unspecified }
    var reader = unsafe ByteReader(bytes.bytes)
    var entries = ContiguousArray<Entry>()
    entries.reserveCapacity(Int(entryCount))
    var total = 0
    for _ in 0..<entryCount {
      guard let address = reader.read(UInt64.self), let length = reader.read(UInt32.self), reader.advance(4),
        length > 0
      else { throw .unspecified }
      // At most 16384 entries of 4 GiB: the sum cannot overflow.
      total += Int(length)
      entries.append(Entry(address: address, byteCount: Int(length)))
    }
    self.entries = entries
    byteCount = total
    resolve(memory)
  }

  /// Resolves the entries in the memory table.
  func resolve(_ memory: GuestMemory) {
    unsafe runs.removeAll(keepingCapacity: true)
    var start = 0
    for entry in entries {
      let found = unsafe memory.forEachPiece(entry.address, entry.byteCount) { piece in
        guard let base = UnsafeRawPointer(piece.baseAddress) else { return }
        unsafe append(base, piece.count, start)
        start += piece.count
      }
      guard found else {
        unsafe runs.removeAll()
        missingAddress = entry.address
        return
      }
    }
    missingAddress = nil
  }

  private func append(_ base: UnsafeRawPointer, _ count: Int, _ start: Int) {
    // Adjacent entries become one run, so that most frames are a few long copies.
    if let last = unsafe runs.indices.last, unsafe runs[last].base + runs[last].byteCount == base {
      unsafe runs[last].byteCount += count
    } else {
      unsafe runs.append(MemorySegment(start: start, byteCount: count, base: base))
    }
  }

  /// The file ranges, in whole pages, that contain the bytes from `first` to `end`, and the number of their bytes
  /// before `first`.
  ///
  /// Adjacent ranges are merged. Nil if a piece in the middle is not whole pages, or not guest memory. The last page
  /// counts as whole if the guest's memory has all of it.
  func pages(from first: Int, to end: Int, memory: GuestMemory) -> (ranges: [MemoryRange], skipped: Int)? {
    guard first >= 0, first < end, end <= byteCount else { return nil }
    let page = MemoryRange.pageBytes
    let start = first / page * page
    var ranges: [MemoryRange] = []
    var entryStart = 0
    for entry in entries {
      let lower = max(entryStart, start)
      let upper = min(entryStart + entry.byteCount, (end + page - 1) / page * page)
      if lower < upper {
        let isLast = upper >= end
        let count = isLast ? (upper - lower + page - 1) / page * page : upper - lower
        guard add(entry.address &+ UInt64(lower - entryStart), count, memory, to: &ranges) else { return nil }
        if isLast { return (MemoryRange.merged(ranges), first - start) }
      }
      entryStart += entry.byteCount
    }
    return nil
  }

  /// Adds the file ranges of a guest address; page by page if it crosses into another region.
  private func add(_ address: UInt64, _ count: Int, _ memory: GuestMemory, to ranges: inout [MemoryRange]) -> Bool {
    if let range = memory.fileRange(address, count) {
      guard range.isWholePages else { return false }
      ranges.append(range)
      return true
    }
    let page = MemoryRange.pageBytes
    guard memory.contains(address, count), count % page == 0 else { return false }
    for offset in stride(from: 0, to: count, by: page) {
      guard let range = memory.fileRange(address &+ UInt64(offset), page), range.isWholePages else { return false }
      ranges.append(range)
    }
    return true
  }

  /// Copies `rowCount` rows of `rowBytes`, the first of them at byte `offset` of the resource.
  ///
  /// Bytes past the end of the backing are left out. The caller has checked that the rows fit the destination.
  func copyRows(
    _ rowCount: Int, rowBytes: Int, offset: Int, strideBytes: Int, to destination: UnsafeMutableRawPointer,
    destinationStrideBytes: Int, ledger: inout CopyLedger, workers: CopyWorkers?
  ) {
    guard isResolved, rowCount > 0, rowBytes > 0, offset >= 0, offset < byteCount else { return }
    // SAFETY: the runs are mapped guest memory as long as the backing is resolved.
    unsafe runs.withUnsafeBufferPointer { runs in
      unsafe ledger.copyRows(
        rowCount, rowBytes: rowBytes, from: runs, offset: offset, sourceStrideBytes: strideBytes, to: destination,
        destinationStrideBytes: destinationStrideBytes, workers: workers)
    }
  }
}
