import CLinux
import Glibc

/// A render node whose driver supports timeline syncobjs. Any one can use the syncobjs of all drivers.
public final class SyncDevice {
  fileprivate let node: OwnedFD

  private init(_ node: consuming OwnedFD) { self.node = node }

  /// The first suitable node; nil if there is none.
  public static func first(in folder: String = "/dev/dri") -> SyncDevice? {
    // Opening a card without a master would make this process its master; a render node has none.
    let names = ((try? LinuxFile.list(folder)) ?? []).filter { $0.hasPrefix("renderD") }
    for name in names.sorted() {
      guard let node = try? OwnedFD.open("\(folder)/\(name)", flags: O_RDWR | O_NONBLOCK) else { continue }
      if clinux_drm_has_timelines(node.raw) == 1 { return SyncDevice(node) }
    }
    return nil
  }
}

/// A client's timeline (`drm_syncobj`): its points can be waited for and signalled.
public final class SyncTimeline {
  private let device: SyncDevice
  private let handle: UInt32

  /// Takes a reference to the syncobj of a descriptor; the caller keeps the descriptor.
  ///
  /// - Throws: EINVAL if the descriptor is not a syncobj.
  public init(_ device: SyncDevice, _ descriptor: borrowing OwnedFD) throws(SystemError) {
    var handle: UInt32 = 0
    let (node, fd) = (device.node.raw, descriptor.raw)
    let result = unsafe clinux_syncobj_import(node, fd, &handle)
    try check("DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE") { result }
    self.device = device
    self.handle = handle
  }

  deinit { _ = clinux_syncobj_destroy(device.node.raw, handle) }

  /// Signals a point and all points before it. A point that is not beyond the last one has no effect.
  public func signal(_ point: UInt64) { _ = clinux_syncobj_signal(device.node.raw, handle, point) }

  /// An eventfd that is raised when the point is signalled. Requires Linux 6.6.
  public func event(at point: UInt64) throws(SystemError) -> SharedFD {
    let event = try EventFD()
    let (node, number, handle) = (device.node.raw, event.fd.raw, handle)
    try check("DRM_IOCTL_SYNCOBJ_EVENTFD") { clinux_syncobj_eventfd(node, handle, point, number) }
    return SharedFD(event.fd)
  }
}
