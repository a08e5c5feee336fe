import CDRM
import Glibc
import LinuxIO

/// An open DRM device: the calls of libdrm with typed errors and Swift values.
///
/// Shared by the card, its outputs and every buffer, so that the device closes after the last frame buffer.
@safe final class CardDevice {
  let path: String
  let fd: SharedFD

  init(path: String) throws(SystemError) {
    self.path = path
    fd = SharedFD(try OwnedFD.open(path, flags: O_RDWR | O_NONBLOCK))
  }

  /// The card's number in `/dev/dri/cardN`, or nil for another name.
  var minor: Int? {
    guard let name = path.split(separator: "/").last, name.hasPrefix("card") else { return nil }
    return Int(name.dropFirst(4))
  }

  /// A driver capability (`DRM_CAP_*`); 0 where the kernel does not know it.
  func capability(_ name: Int32) -> UInt64 {
    var value: UInt64 = 0
    // SAFETY: the call writes one 64-bit value.
    return unsafe drmGetCap(fd.raw, UInt64(name), &value) == 0 ? value : 0
  }

  /// Turns a client capability (`DRM_CLIENT_CAP_*`) on; false where the kernel refuses.
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
    // SAFETY: libdrm ends the name with a zero byte.
    return unsafe version.pointee.name.map { unsafe String(cString: $0) } ?? "unknown"
  }

  /// The bytes of a property blob, such as an EDID; none where it is gone.
  func blob(_ id: UInt64) -> [UInt8] {
    guard id != 0, id <= UInt64(UInt32.max), let blob = unsafe drmModeGetPropertyBlob(fd.raw, UInt32(id)) else {
      return []
    }
    defer { unsafe drmModeFreePropertyBlob(blob) }
    guard let data = unsafe blob.pointee.data else { return [] }
    // SAFETY: libdrm allocated `length` bytes at `data`.
    return unsafe Array(UnsafeRawBufferPointer(start: data, count: Int(blob.pointee.length)))
  }

  /// The CRTC's vblank counter and the last vblank's time, or nil where the driver has no vblank.
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
