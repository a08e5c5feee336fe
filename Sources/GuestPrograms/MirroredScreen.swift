import CDRM
import Glibc
import LinuxIO
import Scanout

/// The current picture of a display device, without DRM master (GetFB2 and PRIME; needs root).
@safe final class MirroredScreen {
  /// A framebuffer that is being scanned out, mapped for reading.
  @safe final class Framebuffer {
    /// The kernel's id.
    let id: UInt32
    /// Pixels.
    let width: Int
    let height: Int
    let format: PixelFormat
    let strideBytes: Int
    fileprivate let offset: Int
    /// The inode of the memory's dma-buf.
    fileprivate let memory: UInt64
    private let mapping: Mapping

    /// The first byte of the first row; `strideBytes * height` bytes are mapped.
    var pixels: UnsafeRawPointer { unsafe UnsafeRawPointer(mapping.base + offset) }

    fileprivate init(
      id: UInt32, width: Int, height: Int, format: PixelFormat, strideBytes: Int, offset: Int, memory: UInt64,
      mapping: consuming Mapping
    ) {
      self.id = id
      self.width = width
      self.height = height
      self.format = format
      self.strideBytes = strideBytes
      self.offset = offset
      self.memory = memory
      self.mapping = mapping
    }
  }

  /// Why there is no picture to mirror.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let card: OwnedFD
  private let path: String
  private var known: [Framebuffer] = []

  /// - Parameter path: a card node such as `/dev/dri/card0`.
  init(_ path: String) throws(SystemError) {
    self.path = path
    card = try OwnedFD.open(path, flags: O_RDWR)
    // The first process to open a card becomes its master, which would keep the desktop from starting.
    _ = drmDropMaster(card.raw)
  }

  /// The framebuffer of the first active CRTC, or nil if none is active.
  func current() throws -> Framebuffer? {
    guard let resources = unsafe drmModeGetResources(card.raw) else {
      throw Failure(description: "\(path) has no active display")
    }
    defer { unsafe drmModeFreeResources(resources) }
    for index in 0..<Int(unsafe resources.pointee.count_crtcs) {
      guard let crtc = unsafe drmModeGetCrtc(card.raw, resources.pointee.crtcs[index]) else { continue }
      defer { unsafe drmModeFreeCrtc(crtc) }
      let id = unsafe crtc.pointee.buffer_id
      if id == 0 { continue }
      if let framebuffer = try framebuffer(id) { return framebuffer }
    }
    return nil
  }

  /// Page-flipping programs cycle through a few buffers, so a few mappings are kept. Framebuffer ids are reused;
  /// buffers are identified by their dma-buf, which exists as long as it is mapped.
  private func framebuffer(_ id: UInt32) throws -> Framebuffer? {
    guard let info = unsafe drmModeGetFB2(card.raw, id) else { return nil }
    defer { unsafe drmModeFreeFB2(info) }
    let handle = unsafe info.pointee.handles.0
    guard handle != 0 else { throw Failure(description: "only root can read the picture of \(path)") }
    defer { closeHandles(unsafe info.pointee.handles) }
    let width = Int(unsafe info.pointee.width)
    let height = Int(unsafe info.pointee.height)
    let stride = Int(unsafe info.pointee.pitches.0)
    let offset = Int(unsafe info.pointee.offsets.0)
    let fourcc = unsafe info.pointee.pixel_format
    guard let format = PixelFormat(fourcc: fourcc) else {
      throw Failure(description: "\(path) has a format that is not 32-bit RGB (\(String(fourcc, radix: 16)))")
    }
    var number: Int32 = -1
    guard unsafe drmPrimeHandleToFD(card.raw, handle, UInt32(O_CLOEXEC), &number) == 0 else {
      throw SystemError(call: "drmPrimeHandleToFD", code: errno, subject: path)
    }
    let memory = OwnedFD(taking: number)
    let inode = try fileInode(memory.raw)
    if let same = known.first(where: {
      $0.memory == inode && $0.offset == offset && $0.width == width && $0.height == height
        && $0.strideBytes == stride && $0.format == format
    }) {
      return same
    }
    let needed = offset + stride * height
    guard width > 0, height > 0, stride >= width * 4, try memory.byteCount() >= needed else { return nil }
    let mapping = try Mapping(fd: memory.raw, byteCount: needed, writable: false)
    let fresh = Framebuffer(
      id: id, width: width, height: height, format: format, strideBytes: stride, offset: offset, memory: inode,
      mapping: mapping)
    known.removeAll { $0.id == id }
    if known.count >= 4 { known.removeFirst() }
    known.append(fresh)
    return fresh
  }

  /// The corresponding C function is `fstat`.
  private func fileInode(_ fd: Int32) throws(SystemError) -> UInt64 {
    var info = stat()
    try check("fstat", path) { unsafe fstat(fd, &info) }
    return UInt64(info.st_ino)
  }

  /// GetFB2 creates handles; one shared by several planes is closed once.
  private func closeHandles(_ handles: (UInt32, UInt32, UInt32, UInt32)) {
    var closed: Set<UInt32> = [0]
    for handle in [handles.0, handles.1, handles.2, handles.3] where closed.insert(handle).inserted {
      _ = drmCloseBufferHandle(card.raw, handle)
    }
  }
}
