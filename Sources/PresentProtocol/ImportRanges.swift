import CFramepathABI
public import GraphicsMemory
public import LinuxIO

/// The range list of IMPORT_BUFFER: a sealed memfd of `struct framepath_range`, the first of the descriptors.
public enum ImportRanges {
  /// A range of the memfd with the index `descriptor` among the descriptors after the list.
  public struct Entry: Equatable, Sendable {
    /// The index of the memfd.
    public var descriptor: Int
    /// The offset in the memfd in bytes, page-aligned.
    public var offset: Int
    /// The length in bytes, whole pages.
    public var byteCount: Int

    /// A range.
    public init(descriptor: Int, offset: Int, byteCount: Int) {
      self.descriptor = descriptor
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  /// Writes the list into a new sealed memfd.
  public static func list(_ entries: [Entry]) throws(SystemError) -> OwnedFD {
    let stride = MemoryLayout<framepath_range>.stride
    let fd = try MemFD.create(name: "framepath-ranges", byteCount: max(entries.count, 1) * stride)
    let mapping = try Mapping(fd: fd.raw, byteCount: max(entries.count, 1) * stride)
    for (index, entry) in entries.enumerated() {
      let wire = framepath_range(
        descriptor: UInt32(clamping: entry.descriptor), reserved: 0, offset: UInt64(entry.offset),
        size: UInt64(entry.byteCount))
      unsafe mapping.bytes.storeBytes(of: wire, toByteOffset: index * stride, as: framepath_range.self)
    }
    return fd
  }

  /// Reads a client's list and takes its descriptors. The ranges are not checked: see `MemoryRange.checked`.
  ///
  /// - Throws: `.malformed` if the list is not a sealed memfd of `count` entries, or names a descriptor that was not
  ///   sent; `.system` if a call failed.
  public static func read(
    count: Int, fds: inout ReceivedFDs
  ) throws(PresentProtocolError) -> ([MemoryRange], [SharedFD]) {
    guard let list = fds.take(0) else { throw .malformed("IMPORT_BUFFER without its range list") }
    var files: [SharedFD] = []
    for index in 1..<max(fds.count, 1) {
      if let fd = fds.take(index) { files.append(SharedFD(fd)) }
    }
    var ranges: [MemoryRange] = []
    ranges.reserveCapacity(count)
    for entry in try entries(list, count: count) {
      guard files.indices.contains(entry.descriptor) else {
        throw .malformed("IMPORT_BUFFER names descriptor \(entry.descriptor) of \(files.count)")
      }
      ranges.append(MemoryRange(fd: files[entry.descriptor].raw, offset: entry.offset, byteCount: entry.byteCount))
    }
    return (ranges, files)
  }

  private static func entries(_ list: borrowing OwnedFD, count: Int) throws(PresentProtocolError) -> [Entry] {
    let stride = MemoryLayout<framepath_range>.stride
    guard let seals = MemFD.seals(of: list.raw), seals.contains(.shrink), try size(of: list) >= count * stride else {
      throw .malformed("IMPORT_BUFFER's range list is not a sealed memfd of \(count) entries")
    }
    let mapping: Mapping
    do throws(SystemError) {
      mapping = try Mapping(fd: list.raw, byteCount: count * stride, writable: false)
    } catch {
      throw .system(error)
    }
    // The client can still write the list: each entry is read once.
    var result: [Entry] = []
    result.reserveCapacity(count)
    for index in 0..<count {
      let wire = unsafe mapping.bytes.loadUnaligned(fromByteOffset: index * stride, as: framepath_range.self)
      guard let offset = Int(exactly: wire.offset), let byteCount = Int(exactly: wire.size) else {
        throw .malformed("IMPORT_BUFFER has a range of \(wire.size) bytes at \(wire.offset)")
      }
      result.append(Entry(descriptor: Int(wire.descriptor), offset: offset, byteCount: byteCount))
    }
    return result
  }

  private static func size(of fd: borrowing OwnedFD) throws(PresentProtocolError) -> Int {
    do throws(SystemError) { return try fd.byteCount() } catch { throw .system(error) }
  }
}
