import CLinux
import Glibc

/// A render node whose driver has synchronisation objects with timelines. Any will do, for the objects of all drivers.
public final class SyncDevice {
  fileprivate let node: OwnedFD

  private init(_ node: consuming OwnedFD) { self.node = node }

  /// The first node that has them; nil where there is none.
  public static func first(in folder: String = "/dev/dri") -> SyncDevice? {
    // Whoever opens a card that nobody has becomes its master; a render node knows none.
    let names = ((try? LinuxFile.list(folder)) ?? []).filter { $0.hasPrefix("renderD") }
    for name in names.sorted() {
      guard let node = try? OwnedFD.open("\(folder)/\(name)", flags: O_RDWR | O_NONBLOCK) else { continue }
      if clinux_drm_has_timelines(node.raw) == 1 { return SyncDevice(node) }
    }
    return nil
  }
}

/// A client's synchronisation object (`drm_syncobj`): its points are waited for and signalled.
public final class SyncTimeline {
  private let device: SyncDevice
  private let handle: UInt32

  /// Takes a reference to the object behind a descriptor, which stays the caller's.
  ///
  /// - Throws: EINVAL where the descriptor is of something else.
  public init(_ device: SyncDevice, _ descriptor: borrowing OwnedFD) throws(SystemError) {
    var handle: UInt32 = 0
    let (node, fd) = (device.node.raw, descriptor.raw)
    let result = unsafe clinux_syncobj_import(node, fd, &handle)
    try check("DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE") { result }
    self.device = device
    self.handle = handle
  }

  deinit { _ = clinux_syncobj_destroy(device.node.raw, handle) }

  /// Signals a point, and with it all before it. A point that is not beyond the last one changes nothing.
  public func signal(_ point: UInt64) { _ = clinux_syncobj_signal(device.node.raw, handle, point) }

  /// An eventfd that is raised once the point is signalled. Linux 6.6.
  public func event(at point: UInt64) throws(SystemError) -> SharedFD {
    let event = try EventFD()
    let (node, number, handle) = (device.node.raw, event.fd.raw, handle)
    try check("DRM_IOCTL_SYNCOBJ_EVENTFD") { clinux_syncobj_eventfd(node, handle, point, number) }
    return SharedFD(event.fd)
  }
}
