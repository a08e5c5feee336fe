import CDRM
import Glibc
import LinuxIO

/// An open DRM device: libdrm's calls with typed errors and Swift values.
///
/// Shared by the card, its outputs and every buffer: the device is closed after the last framebuffer.
@safe final class CardDevice {
  let path: String
  let fd: SharedFD

  init(path: String) throws(SystemError) {
    self.path = path
    fd = SharedFD(try OwnedFD.open(path, flags: O_RDWR | O_NONBLOCK))
  }

  /// N of `/dev/dri/cardN`, or nil for another name.
  var minor: Int? {
    guard let name = path.split(separator: "/").last, name.hasPrefix("card") else { return nil }
    return Int(name.dropFirst(4))
  }

  /// A driver capability (`DRM_CAP_*`); 0 if the kernel does not support it.
  func capability(_ name: Int32) -> UInt64 {
    var value: UInt64 = 0
    // SAFETY: the call writes one 64-bit value.
    return unsafe drmGetCap(fd.raw, UInt64(name), &value) == 0 ? value : 0
  }

  /// Enables a client capability (`DRM_CLIENT_CAP_*`); false if the kernel refuses.
  func enable(_ clientCapability: Int32) -> Bool { drmSetClientCap(fd.raw, UInt64(clientCapability), 1) == 0 }

  var isMaster: Bool { drmIsMaster(fd.raw) != 0 }

  func becomeMaster() throws(SystemError) {
    let raw = fd.raw
    try drm("DRM_IOCTL_SET_MASTER", path) { drmSetMaster(raw) }
  }

  func dropMaster() { _ = drmDropMaster(fd.raw) }

  /// The driver's name, such as `vkms` or `i915`.
  var driverName: String {
    guard let version = unsafe drmGetVersion(fd.raw) else { return "unknown" }
    defer { unsafe drmFreeVersion(version) }
    // libdrm terminates the name with a zero byte.
    return unsafe version.pointee.name.map { unsafe String(cString: $0) } ?? "unknown"
  }

  /// The bytes of a property blob, such as an EDID; empty if the blob does not exist.
  func blob(_ id: UInt64) -> [UInt8] {
    guard id != 0, id <= UInt64(UInt32.max), let blob = unsafe drmModeGetPropertyBlob(fd.raw, UInt32(id)) else {
      return []
    }
    defer { unsafe drmModeFreePropertyBlob(blob) }
    guard let data = unsafe blob.pointee.data else { return [] }
    // SAFETY: libdrm allocated `length` bytes at `data`.
    return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(blob.pointee.length)))
  }

  /// The CRTC's vblank counter and the time of the last vblank, or nil if the driver has no vblank.
  func vblank(of crtcID: UInt32) -> (sequence: UInt64, timeNanoseconds: UInt64)? {
    var sequence: UInt64 = 0
    var time: UInt64 = 0
    // SAFETY: the call writes two 64-bit values.
    guard unsafe drmCrtcGetSequence(fd.raw, crtcID, &sequence, &time) == 0 else { return nil }
    return (sequence, time)
  }
}

/// Runs a libdrm call that returns a negative errno, or -1 with errno set, on failure.
@discardableResult
func drm(
  _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Int32
) throws(SystemError) -> Int32 {
  let result = body()
  if result >= 0 { return result }
  throw SystemError(call: "\(call)", code: result == -1 ? errno : -result, subject: subject())
}
