import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// A host buffer in a sealed memfd.
///
/// The stride is exactly one row: no hardware reads it, and buffers of equal strides are copied in one piece.
final class MemfdBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let byteCount: Int
  private let memory: SharedFD
  private var mapping: MappedBuffer?

  init(layout: FrameLayout) throws(OutputError) {
    guard let byteCount = roundedUpToPages(layout.byteCount) else { throw .rejected("the picture is too large") }
    self.layout = layout
    self.byteCount = byteCount
    do {
      memory = SharedFD(try MemFD.create(name: "framepath-headless", byteCount: byteCount))
    } catch {
      throw .system(error)
    }
  }

  var memoryKind: MemoryKind { .memfd }

  func descriptor() throws(OutputError) -> OwnedFD {
    do { return try memory.duplicate() } catch { throw .system(error) }
  }

  func mapped() throws(OutputError) -> MappedBuffer {
    if let mapping { return mapping }
    do {
      let made = try MappedBuffer(fd: memory, kind: .memfd, layout: layout, byteCount: byteCount)
      mapping = made
      return made
    } catch {
      throw .system(error)
    }
  }
}

/// A client's memory, by reference. It is mapped for reading only when a snapshot needs it.
final class ReferencedBuffer: ScanoutBuffer {
  private enum Memory {
    case ranges([MemoryRange], [SharedFD])
    case dmaBuf(SharedFD)
  }

  let layout: FrameLayout
  let byteCount: Int
  private let memory: Memory
  private var mapping: MappedBuffer?
  /// For pages that cannot be mapped one after the other.
  private var gathered: GatheredPages?

  init(_ imported: ImportedMemory, layout: FrameLayout) throws(OutputError) {
    self.layout = layout
    switch imported {
    case .memfd(let ranges, let descriptors):
      do {
        let merged = try MemoryRange.checked(ranges, descriptors: descriptors, layout: layout)
        byteCount = merged.reduce(0) { $0 + $1.byteCount }
        memory = .ranges(merged, descriptors)
      } catch {
        throw .rejected(error.description)
      }
    case .dmaBuf(let descriptor):
      do { byteCount = try descriptor.byteCount() } catch { throw .system(error) }
      guard byteCount >= layout.byteCount else {
        throw .rejected("the dma-buf holds \(byteCount) bytes, the picture needs \(layout.byteCount)")
      }
      memory = .dmaBuf(descriptor)
    }
  }

  var memoryKind: MemoryKind {
    switch memory {
    case .ranges: .memfd
    case .dmaBuf: .dmaBuf
    }
  }

  func descriptor() throws(OutputError) -> OwnedFD {
    switch memory {
    case .ranges: throw .rejected("a client's pages have no descriptor to pass on")
    case .dmaBuf(let descriptor): do { return try descriptor.duplicate() } catch { throw .system(error) }
    }
  }

  func mapped() throws(OutputError) -> MappedBuffer {
    if let mapping { return mapping }
    do throws(SystemError) {
      if gathered == nil, case .ranges(let ranges, _) = memory, !MappedBuffer.canMap(ranges) {
        gathered = try GatheredPages(ranges, layout: layout)
      }
      if let gathered { return gathered.picture }
      let made = try map()
      mapping = made
      return made
    } catch {
      throw .system(error)
    }
  }

  func refresh(_ rect: Rect) { gathered?.copy(rect) }

  var gatheredBytes: UInt64 { gathered?.ledger.copiedBytes ?? 0 }

  var isSpoilt: Bool { mapping?.isSpoilt ?? gathered?.isSpoilt ?? false }

  private func map() throws(SystemError) -> MappedBuffer {
    switch memory {
    case .ranges(let ranges, let owners):
      try MappedBuffer(reading: ranges, owners: owners, layout: layout)
    case .dmaBuf(let descriptor):
      try MappedBuffer(fd: descriptor, kind: .dmaBuf, layout: layout, byteCount: byteCount, writable: false)
    }
  }
}
