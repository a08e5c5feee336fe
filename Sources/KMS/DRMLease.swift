import CDRM
import Glibc
import LinuxIO

/// A part of a card that another program drives: its descriptor is a DRM master of the leased objects, and sees no
/// other connector, CRTC or plane.
///
/// The lease ends when every copy of the descriptor is closed, or by `CardDevice.revokeLease`.
struct DRMLease: ~Copyable {
  /// The kernel's number of the lessee; unique on its card while any copy of the descriptor lives.
  let lesseeID: UInt32
  private let fd: OwnedFD

  /// Makes a lease of those objects.
  ///
  /// The corresponding C function is `drmModeCreateLease` (DRM_IOCTL_MODE_CREATE_LEASE).
  /// - Parameter objects: ids of a connector, a CRTC and its primary plane at least; further planes as wanted.
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

  /// Gives the lessee's descriptor away.
  consuming func takeDescriptor() -> OwnedFD { fd }

  /// The objects that a lessee's descriptor may use; empty once the lease was revoked.
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
  /// The lessees that hold anything now.
  ///
  /// The corresponding C function is `drmModeListLessees` (DRM_IOCTL_MODE_LIST_LESSEES).
  func lessees() throws(DRMLeaseError) -> [UInt32] {
    guard let list = unsafe drmModeListLessees(fd.raw) else { throw .notListed(code: errno) }
    defer { unsafe drmFree(list) }
    // SAFETY: libdrm allocated the count and behind it as many numbers.
    return unsafe idsBehindCount(list)
  }

  /// Takes everything from a lessee; its later calls find no object.
  ///
  /// The corresponding C function is `drmModeRevokeLease` (DRM_IOCTL_MODE_REVOKE_LEASE).
  func revokeLease(_ lesseeID: UInt32) throws(DRMLeaseError) {
    let result = drmModeRevokeLease(fd.raw, lesseeID)
    if result != 0 { throw .notRevoked(lesseeID: lesseeID, code: -result) }
  }
}

/// Why the kernel made no lease, or did not do what was asked with one.
enum DRMLeaseError: Error, Equatable, CustomStringConvertible {
  /// No lease of those objects was made; the errno.
  case notMade(objects: [UInt32], code: Int32)
  /// The lessee keeps what it has; the errno.
  case notRevoked(lesseeID: UInt32, code: Int32)
  /// Lessees, or a lessee's objects, cannot be listed; the errno.
  case notListed(code: Int32)

  /// The errno.
  var code: Int32 {
    switch self {
    case .notMade(_, let code), .notRevoked(_, let code), .notListed(let code): code
    }
  }

  /// The error for a person.
  var description: String {
    switch self {
    case .notMade(let objects, let code):
      let why =
        switch code {
        case EBUSY: "; one of them is leased already"
        case EOPNOTSUPP: "; the driver has no leases"
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

/// The ids of a libdrm list: `{ uint32_t count; uint32_t ids[]; }`, whose array does not import.
private func idsBehindCount(_ list: UnsafeMutableRawPointer) -> [UInt32] {
  // SAFETY: the caller's list is a count and as many ids.
  let count = Int(unsafe list.load(as: UInt32.self))
  return (0..<count).map { unsafe list.load(fromByteOffset: 4 + $0 * 4, as: UInt32.self) }
}
