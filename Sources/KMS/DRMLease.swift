import CDRM
import Glibc
import LinuxIO

/// A DRM lease: its descriptor is master of the leased objects, and has no other connectors, CRTCs or planes.
///
/// The lease ends when the last copy of the descriptor is closed, or by `CardDevice.revokeLease`.
struct DRMLease: ~Copyable {
  /// The kernel's lessee id; unique on its card while any copy of the descriptor is open.
  let lesseeID: UInt32
  private let fd: OwnedFD

  /// Creates a lease.
  ///
  /// The corresponding C function is `drmModeCreateLease` (DRM_IOCTL_MODE_CREATE_LEASE).
  /// - Parameter objects: ids of a connector, a CRTC and its primary plane at least; optionally more planes.
  init(of device: CardDevice, objects: [UInt32]) throws(DRMLeaseError) {
    var lessee: UInt32 = 0
    // SAFETY: the kernel reads the array's elements during the call and writes one number.
    let result = unsafe objects.withUnsafeBufferPointer { list in
      unsafe drmModeCreateLease(device.fd.raw, list.baseAddress, Int32(list.count), O_CLOEXEC, &lessee)
    }
    guard result >= 0 else { throw .notMade(objects: objects, code: -result) }
    lesseeID = lessee
    fd = OwnedFD(taking: result)
  }

  /// Gives up the lessee's descriptor.
  consuming func takeDescriptor() -> OwnedFD { fd }

  /// The objects of a lessee's descriptor; empty after the lease is revoked.
  ///
  /// The corresponding C function is `drmModeGetLease` (DRM_IOCTL_MODE_GET_LEASE).
  static func objects(of descriptor: Int32) throws(DRMLeaseError) -> [UInt32] {
    guard let list = unsafe drmModeGetLease(descriptor) else { throw .notListed(code: errno) }
    defer { unsafe drmFree(list) }
    // SAFETY: libdrm allocated the count and behind it as many ids.
    return unsafe idsBehindCount(list)
  }
}

extension CardDevice {
  /// The ids of the card's lessees.
  ///
  /// The corresponding C function is `drmModeListLessees` (DRM_IOCTL_MODE_LIST_LESSEES).
  func lessees() throws(DRMLeaseError) -> [UInt32] {
    guard let list = unsafe drmModeListLessees(fd.raw) else { throw .notListed(code: errno) }
    defer { unsafe drmFree(list) }
    // SAFETY: libdrm allocated the count and behind it as many numbers.
    return unsafe idsBehindCount(list)
  }

  /// Revokes a lease; later calls of the lessee fail with ENOENT.
  ///
  /// The corresponding C function is `drmModeRevokeLease` (DRM_IOCTL_MODE_REVOKE_LEASE).
  func revokeLease(_ lesseeID: UInt32) throws(DRMLeaseError) {
    let result = drmModeRevokeLease(fd.raw, lesseeID)
    if result != 0 { throw .notRevoked(lesseeID: lesseeID, code: -result) }
  }
}

/// Why a DRM lease call failed.
enum DRMLeaseError: Error, Equatable, CustomStringConvertible {
  /// The lease could not be created; objects and errno.
  case notMade(objects: [UInt32], code: Int32)
  /// The lease could not be revoked; lessee id and errno.
  case notRevoked(lesseeID: UInt32, code: Int32)
  /// The lessees, or a lessee's objects, could not be listed; the errno.
  case notListed(code: Int32)

  /// The errno.
  var code: Int32 {
    switch self {
    case .notMade(_, let code), .notRevoked(_, let code), .notListed(let code): code
    }
  }

  /// A message for the user.
  var description: String {
    switch self {
    case .notMade(let objects, let code):
      let why =
        switch code {
        case EBUSY: "; one of them is leased already"
        case EOPNOTSUPP: "; the driver does not support leases"
        default: ""
        }
      let error = SystemError(
        call: "DRM_IOCTL_MODE_CREATE_LEASE", code: code,
        subject: "of objects \(objects.map { "\($0)" }.joined(separator: ", "))")
      return "\(error)\(why)"
    case .notRevoked(let lessee, let code):
      return SystemError(call: "DRM_IOCTL_MODE_REVOKE_LEASE", code: code, subject: "of lessee \(lessee)").description
    case .notListed(let code): return SystemError(call: "DRM_IOCTL_MODE_LIST_LESSEES", code: code).description
    }
  }
}

/// The ids of a libdrm list: `{ uint32_t count; uint32_t ids[]; }`. The flexible array is not imported.
private func idsBehindCount(_ list: UnsafeMutableRawPointer) -> [UInt32] {
  // SAFETY: the caller's list is a count and as many ids.
  let count = Int(unsafe list.load(as: UInt32.self))
  return (0..<count).map { unsafe list.load(fromByteOffset: 4 + $0 * 4, as: UInt32.self) }
}
