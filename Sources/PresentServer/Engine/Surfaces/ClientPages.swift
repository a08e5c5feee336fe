import GraphicsMemory
import LinuxIO

/// The pages of a client's memfds that hold a picture, read by system calls.
///
/// For pictures that are read once. A mapping would take places in the kernel's table of them, and pages for the files'
/// holes, and can be of whole huge pages only.
struct ClientPages {
  private let ranges: [MemoryRange]
  /// The offset of each range in the picture's memory.
  private let starts: [Int]
  /// Keeps the descriptors open.
  private let owners: [SharedFD]

  /// - Parameter ranges: as `MemoryRange.checked` returned them.
  init(_ ranges: [MemoryRange], _ owners: [SharedFD]) {
    self.ranges = ranges
    self.owners = owners
    var starts: [Int] = []
    var sum = 0
    for range in ranges {
      starts.append(sum)
      sum += range.byteCount
    }
    self.starts = starts
  }

  /// Reads bytes at an offset in the picture's memory.
  func read(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) throws(SystemError) {
    var index = place(of: offset)
    var done = 0
    while done < bytes.count {
      guard ranges.indices.contains(index) else {
        throw SystemError(call: "pread", code: 22, subject: "\(bytes.count) bytes at \(offset) of a client's pages")
      }
      let within = offset + done - starts[index]
      let count = min(bytes.count - done, ranges[index].byteCount - within)
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes[done..<done + count])
      try readFile(ranges[index].fd, at: ranges[index].offset + within, into: part)
      done += count
      index += 1
    }
  }

  /// The last range that starts at this offset or before.
  private func place(of offset: Int) -> Int {
    var (low, high) = (0, starts.count)
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }
}
