import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
import Outputs

/// Imports clients' memory as buffers without copying, or gives the reason why it cannot.
final class Importer {
  /// The limits in /sys/module/udmabuf/parameters; both can be raised there.
  struct Limits: Equatable {
    var ranges = 1024
    var mebibytes = 64

    static let folder = "/sys/module/udmabuf/parameters"

    /// The current limits; the kernel's defaults if they cannot be read.
    static var current: Limits {
      var limits = Limits()
      if let value = number("list_limit") { limits.ranges = value }
      if let value = number("size_limit_mb") { limits.mebibytes = value }
      return limits
    }

    private static func number(_ name: String) -> Int? {
      LinuxFile.text("\(folder)/\(name)").flatMap { Int($0) }
    }

    /// Why a number of ranges and bytes is refused, or nil.
    func refusal(ranges count: Int, byteCount: Int) -> String? {
      if count > ranges { return "\(count) ranges of memory exceed udmabuf's list_limit of \(ranges)" }
      if byteCount > mebibytes << 20 {
        return "\(byteCount) bytes exceed udmabuf's size_limit_mb of \(mebibytes)"
      }
      return nil
    }
  }

  private let device: CardDevice
  private let capabilities: CardCapabilities
  private var udmabuf: UDMABuf?

  init(_ device: CardDevice, _ capabilities: CardCapabilities) {
    self.device = device
    self.capabilities = capabilities
  }

  /// A buffer over that memory. Whether the driver can show it must be tested by a TEST_ONLY commit.
  ///
  /// - Parameter fourcc: the format for planes.
  func buffer(
    _ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64, fourcc: UInt32
  ) throws(OutputError) -> KMSBuffer {
    guard capabilities.importsBuffers else { throw .rejected("\(capabilities.driverName) cannot import dma-bufs") }
    switch memory {
    case .dmaBuf(let fd):
      let byteCount: Int
      do { byteCount = try fd.byteCount() } catch { throw .system(error) }
      guard byteCount >= layout.byteCount else {
        throw .rejected("the dma-buf holds \(byteCount) bytes, but the picture needs \(layout.byteCount)")
      }
      return try buffer(
        fd, layout: layout, modifier: modifier, fourcc: fourcc, byteCount: byteCount, memory: .dmaBuf(fd))
    case .memfd(let ranges, let owners):
      let checked: [MemoryRange]
      do {
        checked = try MemoryRange.checked(ranges, descriptors: owners, layout: layout)
      } catch {
        throw .rejected(error.description)
      }
      let byteCount = checked.reduce(0) { $0 + $1.byteCount }
      if let why = Limits.current.refusal(ranges: checked.count, byteCount: byteCount) { throw .rejected(why) }
      let fd = SharedFD(try dmaBuf(of: checked))
      return try buffer(
        fd, layout: layout, modifier: modifier, fourcc: fourcc, byteCount: byteCount,
        memory: .pages(fd, checked, owners))
    }
  }

  private func dmaBuf(of ranges: [MemoryRange]) throws(OutputError) -> OwnedFD {
    if udmabuf == nil {
      do { udmabuf = try UDMABuf() } catch { throw .rejected(Importer.openRefusal(error)) }
    }
    do throws(SystemError) {
      if let made = try udmabuf?.create(ranges) { return made }
    } catch {
      throw .rejected("udmabuf refused the memory: \(error)")
    }
    throw .rejected("/dev/udmabuf is not open")
  }

  /// The message for a failure to open /dev/udmabuf.
  static func openRefusal(_ error: SystemError) -> String {
    switch error.code {
    case ENOENT: "/dev/udmabuf is missing: the kernel lacks CONFIG_UDMABUF, or its module is not loaded"
    case EACCES, EPERM: "no permission to open /dev/udmabuf"
    default: error.description
    }
  }

  private func buffer(
    _ fd: SharedFD, layout: FrameLayout, modifier: UInt64, fourcc: UInt32, byteCount: Int, memory: KMSBuffer.Memory
  ) throws(OutputError) -> KMSBuffer {
    let raw = device.fd.raw
    var handle: UInt32 = 0
    do {
      // SAFETY: the call writes one 32-bit value.
      try drm("DRM_IOCTL_PRIME_FD_TO_HANDLE") { unsafe drmPrimeFDToHandle(raw, fd.raw, &handle) }
    } catch {
      throw .rejected("\(capabilities.driverName) cannot import this memory: \(error)")
    }
    defer { _ = drmCloseBufferHandle(raw, handle) }
    // udmabuf memory is always linear, and a driver without modifiers accepts only linear. A dma-buf may have another
    // layout; the client's modifier is passed to the driver.
    var isPlain = modifier == CDRM_FORMAT_MOD_LINEAR || modifier == CDRM_FORMAT_MOD_INVALID
    if case .dmaBuf = memory, capabilities.hasModifiers { isPlain = modifier == CDRM_FORMAT_MOD_INVALID }
    if !isPlain && !capabilities.hasModifiers {
      throw .rejected("\(capabilities.driverName) does not support modifiers, and the buffer has one")
    }
    do {
      let framebuffer = try Framebuffer(
        device, handle: handle, layout: layout, fourcc: fourcc, modifier: isPlain ? nil : modifier)
      return KMSBuffer(framebuffer, device: device, layout: layout, byteCount: byteCount, memory: memory)
    } catch {
      throw .rejected("\(capabilities.driverName) refused the framebuffer: \(error)")
    }
  }
}
