import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// A KMS framebuffer: a GEM object with a layout, which planes can show.
///
/// The framebuffer keeps its GEM object alive, so the handle that made it is closed at once: no handle is ever shared,
/// and importing the same memory twice is harmless.
struct Framebuffer: ~Copyable {
  let id: UInt32
  /// The format that planes read it as.
  let fourcc: UInt32
  private let device: CardDevice

  deinit {
    // RMFB would wait for the locks of all screens while an ended commit still holds the frame buffer.
    var argument = cdrm_mode_closefb(fb_id: id, pad: 0)
    if unsafe drmIoctl(device.fd.raw, CDRM_IOCTL_MODE_CLOSEFB, &argument) != 0 {
      _ = drmModeRmFB(device.fd.raw, id)
    }
  }

  /// Creates a framebuffer for a GEM handle; the caller closes the handle.
  ///
  /// The corresponding C functions are `drmModeAddFB2` and `drmModeAddFB2WithModifiers`.
  /// - Parameters:
  ///   - fourcc: the format for planes.
  ///   - modifier: nil leaves it to the driver (linear for everything that a CPU maps).
  init(
    _ device: CardDevice, handle: UInt32, layout: FrameLayout, fourcc: UInt32, modifier: UInt64?
  ) throws(SystemError) {
    var handles: (UInt32, UInt32, UInt32, UInt32) = (handle, 0, 0, 0)
    var pitches: (UInt32, UInt32, UInt32, UInt32) = (UInt32(layout.strideBytes), 0, 0, 0)
    guard let offset = UInt32(exactly: layout.offset) else {
      throw SystemError(call: "DRM_IOCTL_MODE_ADDFB2", code: EINVAL, subject: "offset \(layout.offset)")
    }
    var offsets: (UInt32, UInt32, UInt32, UInt32) = (offset, 0, 0, 0)
    var modifiers: (UInt64, UInt64, UInt64, UInt64) = (modifier ?? 0, 0, 0, 0)
    var id: UInt32 = 0
    let raw = device.fd.raw
    let (width, height) = (UInt32(layout.width), UInt32(layout.height))
    var what = "\(layout.width)x\(layout.height), pitch \(layout.strideBytes), \(fourccText(fourcc))"
    if let modifier { what += ", modifier 0x\(String(modifier, radix: 16))" }
    // SAFETY: libdrm reads four elements of each array, which the tuples are.
    let code: Int32 = unsafe withUnsafeBytes(of: &handles) { handles in
      unsafe withUnsafeBytes(of: &pitches) { pitches in
        unsafe withUnsafeBytes(of: &offsets) { offsets in
          unsafe withUnsafeBytes(of: &modifiers) { modifiers in
            let handles = unsafe handles.assumingMemoryBound(to: UInt32.self).baseAddress
            let pitches = unsafe pitches.assumingMemoryBound(to: UInt32.self).baseAddress
            let offsets = unsafe offsets.assumingMemoryBound(to: UInt32.self).baseAddress
            if modifier == nil {
              return unsafe drmModeAddFB2(raw, width, height, fourcc, handles, pitches, offsets, &id, 0)
            }
            return unsafe drmModeAddFB2WithModifiers(
              raw, width, height, fourcc, handles, pitches, offsets,
              modifiers.assumingMemoryBound(to: UInt64.self).baseAddress, &id, UInt32(DRM_MODE_FB_MODIFIERS))
          }
        }
      }
    }
    try drm("DRM_IOCTL_MODE_ADDFB2", what) { code }
    self.id = id
    self.fourcc = fourcc
    self.device = device
  }
}

/// The four characters of a format code.
func fourccText(_ code: UInt32) -> String {
  let name = PixelFormat(fourcc: code)?.name
  return name
    ?? String(decoding: [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: code >> UInt32($0)) }, as: UTF8.self)
}

/// A buffer that the planes of one card can show.
final class KMSBuffer: ScanoutBuffer {
  enum Memory {
    /// A dumb buffer of the daemon, exported.
    case own(SharedFD)
    /// A client's dma-buf, read-only.
    case dmaBuf(SharedFD)
    /// A client's pages: the dma-buf over them, and the ranges to map.
    case pages(SharedFD, [MemoryRange], [SharedFD])
  }

  let layout: FrameLayout
  let byteCount: Int
  let device: CardDevice
  let framebufferID: UInt32
  /// The format for planes.
  let fourcc: UInt32
  private let framebuffer: Framebuffer
  private let memory: Memory
  private var mapping: MappedBuffer?

  init(
    _ framebuffer: consuming Framebuffer, device: CardDevice, layout: FrameLayout, byteCount: Int, memory: Memory
  ) {
    framebufferID = framebuffer.id
    fourcc = framebuffer.fourcc
    self.framebuffer = framebuffer
    self.device = device
    self.layout = layout
    self.byteCount = byteCount
    self.memory = memory
  }

  var memoryKind: MemoryKind { .dmaBuf }

  func descriptor() throws(OutputError) -> OwnedFD {
    do throws(SystemError) {
      switch memory {
      case .own(let fd), .dmaBuf(let fd), .pages(let fd, _, _): return try fd.duplicate()
      }
    } catch {
      throw .system(error)
    }
  }

  func mapped() throws(OutputError) -> MappedBuffer {
    if let mapping { return mapping }
    do throws(SystemError) {
      let made = try map()
      mapping = made
      return made
    } catch {
      throw .system(error)
    }
  }

  var isSpoilt: Bool { mapping?.isSpoilt ?? false }

  private func map() throws(SystemError) -> MappedBuffer {
    switch memory {
    case .own(let fd): try MappedBuffer(fd: fd, kind: .dmaBuf, layout: layout, byteCount: byteCount)
    case .dmaBuf(let fd):
      try MappedBuffer(fd: fd, kind: .dmaBuf, layout: layout, byteCount: byteCount, writable: false)
    case .pages(let fd, let ranges, let owners):
      if MappedBuffer.canMap(ranges) {
        try MappedBuffer(reading: ranges, owners: owners, layout: layout)
      } else {
        // Scattered parts of huge pages: the dma-buf maps them by small pages.
        try MappedBuffer(fd: fd, kind: .dmaBuf, layout: layout, byteCount: byteCount, writable: false)
      }
    }
  }
}
