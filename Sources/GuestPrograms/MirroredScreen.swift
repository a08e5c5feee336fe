import CDRM
import Glibc
import LinuxIO
import Scanout

/// What a display device of this machine shows now, without being its master (GetFB2 and PRIME; root may).
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
    /// Inode of the memory's dma-buf.
    fileprivate let memory: UInt64
    private let mapping: Mapping

    /// First byte of the first row; `strideBytes * height` bytes are mapped.
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

  /// Why there is nothing to mirror.
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
    // The first to open a card becomes its master, which would keep the desktop from starting.
    _ = drmDropMaster(card.raw)
  }

  /// The framebuffer of the first CRTC that shows one, or nil where none does.
  func current() throws -> Framebuffer? {
    guard let resources = unsafe drmModeGetResources(card.raw) else {
      throw Failure(description: "\(path) drives no display")
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

  /// Flipping programs use a few buffers in turn, so a few mappings are kept. Ids are used again once a buffer is
  /// gone; what tells buffers apart is their dma-buf, which the kernel keeps as long as a mapping of it lives.
  private func framebuffer(_ id: UInt32) throws -> Framebuffer? {
    guard let info = unsafe drmModeGetFB2(card.raw, id) else { return nil }
    defer { unsafe drmModeFreeFB2(info) }
    let handle = unsafe info.pointee.handles.0
    guard handle != 0 else { throw Failure(description: "only root may look at what \(path) shows") }
    defer { closeHandles(unsafe info.pointee.handles) }
    let width = Int(unsafe info.pointee.width)
    let height = Int(unsafe info.pointee.height)
    let stride = Int(unsafe info.pointee.pitches.0)
    let offset = Int(unsafe info.pointee.offsets.0)
    let fourcc = unsafe info.pointee.pixel_format
    guard let format = PixelFormat(fourcc: fourcc) else {
      throw Failure(description: "\(path) shows a format that is not 32-bit RGB (\(String(fourcc, radix: 16)))")
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

  /// GetFB2 makes handles; a handle that several planes share is closed once.
  private func closeHandles(_ handles: (UInt32, UInt32, UInt32, UInt32)) {
    var closed: Set<UInt32> = [0]
    for handle in [handles.0, handles.1, handles.2, handles.3] where closed.insert(handle).inserted {
      _ = drmCloseBufferHandle(card.raw, handle)
    }
  }
}
