import LinuxIO
import PresentProtocol

extension ClientSession {
  /// Sets the points for a scanout's next PRESENT.
  func setSyncPoints(_ points: SyncPoints, _ request: RequestID, _ fds: inout ReceivedFDs) {
    guard let surface = surface(ScanoutID(wire: points.scanout)) else { return }
    guard region(of: surface) == nil else {
      return fail(.malformed, "SYNC_POINTS on scanout \(points.scanout), whose frames come from a region")
    }
    var place = 0
    func nextObject(_ fds: inout ReceivedFDs) -> OwnedFD? {
      defer { place += 1 }
      return fds.take(place)
    }
    let acquire = points.acquirePoint == nil ? nil : nextObject(&fds)
    let release = points.releasePoint == nil ? nil : nextObject(&fds)
    guard (acquire != nil) == (points.acquirePoint != nil), (release != nil) == (points.releasePoint != nil) else {
      return fail(.malformed, "SYNC_POINTS without the descriptors of its synchronisation objects")
    }
    surface.nextSync = .refused
    guard let device = server.syncDevice() else {
      return refuse(.refused, "no DRM driver on this host supports synchronisation objects", request, about: surface.id)
    }
    do throws(SystemError) {
      var fence: SharedFD?
      if let acquire, let point = points.acquirePoint {
        fence = try SyncTimeline(device, acquire).event(at: point)
      }
      var held: ReleasePoint?
      if let release, let point = points.releasePoint {
        held = ReleasePoint(try SyncTimeline(device, release), point)
      }
      surface.nextSync = .points(acquire: fence, release: held)
    } catch {
      refuse(.refused, "a synchronisation object cannot be used: \(error)", request, about: surface.id)
    }
  }
}
