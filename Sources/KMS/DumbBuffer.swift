import CDRM
import Glibc
import GraphicsMemory
import LinuxIO
import Scanout

extension KMSBuffer {
  /// A black dumb buffer, exported as a dma-buf that can be mapped and passed to a client.
  ///
  /// The corresponding C functions are `drmModeCreateDumbBuffer` and `drmPrimeHandleToFD(DRM_RDWR)`. The driver chooses
  /// the stride.
  /// - Parameter fourcc: the format for planes.
  static func dumb(
    _ device: CardDevice, width: Int, height: Int, format: PixelFormat, fourcc: UInt32
  ) throws(SystemError) -> KMSBuffer {
    let raw = device.fd.raw
    let what = "\(width)x\(height)"
    guard (1...FrameLayout.maxDimension).contains(width), (1...FrameLayout.maxDimension).contains(height) else {
      throw SystemError(call: "DRM_IOCTL_MODE_CREATE_DUMB", code: EINVAL, subject: what)
    }
    var handle: UInt32 = 0
    var pitch: UInt32 = 0
    var byteCount: UInt64 = 0
    // SAFETY: the call writes the three values.
    try drm("DRM_IOCTL_MODE_CREATE_DUMB", what) {
      unsafe drmModeCreateDumbBuffer(raw, UInt32(width), UInt32(height), 32, 0, &handle, &pitch, &byteCount)
    }
    defer { _ = drmCloseBufferHandle(raw, handle) }
    guard let layout = FrameLayout(width: width, height: height, strideBytes: Int(pitch), format: format),
      byteCount >= UInt64(layout.byteCount), let byteCount = Int(exactly: byteCount)
    else { throw SystemError(call: "DRM_IOCTL_MODE_CREATE_DUMB", code: EINVAL, subject: "\(what), pitch \(pitch)") }
    var exported: Int32 = -1
    try drm("DRM_IOCTL_PRIME_HANDLE_TO_FD", what) {
      unsafe drmPrimeHandleToFD(raw, handle, UInt32(DRM_CLOEXEC) | UInt32(DRM_RDWR), &exported)
    }
    let fd = SharedFD(OwnedFD(taking: exported))
    let framebuffer = try Framebuffer(device, handle: handle, layout: layout, fourcc: fourcc, modifier: nil)
    return KMSBuffer(framebuffer, device: device, layout: layout, byteCount: byteCount, memory: .own(fd))
  }
}
