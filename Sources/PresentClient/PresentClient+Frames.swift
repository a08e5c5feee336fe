public import LinuxIO
public import PresentProtocol
public import Scanout

/// A point of a timeline (`drm_syncobj`).
public struct TimelinePoint: Sendable {
  /// The syncobj's descriptor (DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD).
  public var timeline: SharedFD
  /// The point on the timeline.
  public var point: UInt64

  /// A point of that timeline.
  public init(timeline: SharedFD, point: UInt64) {
    self.timeline = timeline
    self.point = point
  }
}

/// A frame for `PresentClient.present`.
public struct PresentFrame: Sendable {
  /// The scanout.
  public var scanout: Int
  /// Rises with every present of a scanout; at least 1.
  public var frame: UInt64
  /// The buffer.
  public var bufferID: UInt32
  /// The part of the buffer that is shown, in its pixels.
  public var source: Rect
  /// The damage since the scanout's last frame, in the buffer's pixels.
  public var damage: Damage
  /// How the bytes reached the buffer.
  public var path: PresentPath
  /// The bytes that a CPU copied for it.
  public var copiedBytes: UInt64
  /// CLOCK_MONOTONIC nanoseconds at which the guest presented the frame; nil if unknown.
  public var readyNanoseconds: UInt64?
  /// A sync file or an eventfd: the daemon reads the buffer once it is readable. Nil for at once.
  public var acquireFence: SharedFD?
  /// The daemon reads the buffer once this point is signalled; not together with `acquireFence`.
  public var acquirePoint: TimelinePoint?
  /// The daemon signals this point when the buffer is no longer read for this frame; not if the daemon is killed.
  public var releasePoint: TimelinePoint?

  /// A frame to present.
  public init(
    scanout: Int, frame: UInt64, bufferID: UInt32, source: Rect, damage: Damage = .full,
    path: PresentPath, copiedBytes: UInt64 = 0, readyNanoseconds: UInt64? = nil, acquireFence: SharedFD? = nil,
    acquirePoint: TimelinePoint? = nil, releasePoint: TimelinePoint? = nil
  ) {
    self.scanout = scanout
    self.frame = frame
    self.bufferID = bufferID
    self.source = source
    self.damage = damage
    self.path = path
    self.copiedBytes = copiedBytes
    self.readyNanoseconds = readyNanoseconds
    self.acquireFence = acquireFence
    self.acquirePoint = acquirePoint
    self.releasePoint = releasePoint
  }
}

extension PresentClient {
  /// Reports what is in force in the VM's device. The first report of a connection requests the host's settings.
  public func report(_ device: DeviceSettings) { enqueue(.device(device)) }

  /// Shows a buffer at the scanout's next vblank. One `frameDone` follows, and `released` after another buffer has
  /// replaced it.
  ///
  /// - Returns: false if the buffer or the daemon is gone; then no event follows.
  @discardableResult
  public func present(_ frame: PresentFrame) -> Bool {
    guard let head = output(frame.scanout), let known = buffers[frame.bufferID], known.scanout == frame.scanout else {
      return false
    }
    buffers[frame.bufferID] = BufferRecord(scanout: frame.scanout, lastFrame: frame.frame)
    if frame.acquirePoint != nil || frame.releasePoint != nil {
      let points = SyncPoints(
        scanout: UInt32(frame.scanout), acquirePoint: frame.acquirePoint?.point, releasePoint: frame.releasePoint?.point
      )
      enqueue(
        .syncPoints(points, request: 0), fds: [frame.acquirePoint, frame.releasePoint].compactMap { $0?.timeline })
    }
    enqueue(
      .present(
        Present(
          scanout: UInt32(frame.scanout), generation: head.generation, frame: frame.frame, bufferID: frame.bufferID,
          source: frame.source, damage: frame.damage, path: frame.path, copies: frame.copiedBytes > 0 ? 1 : 0,
          copiedBytes: frame.copiedBytes, readyNanoseconds: frame.readyNanoseconds,
          hasAcquireFence: frame.acquireFence != nil)), fds: frame.acquireFence.map { [$0] } ?? [])
    return connection != nil
  }

  /// Blanks a scanout. A waiting frame is superseded.
  public func disable(scanout: Int) {
    guard output(scanout) != nil else { return }
    enqueue(.disable(scanout: UInt32(scanout)))
  }

  /// Shows buffer `bufferID` as the cursor with its corner at (x, y), or hides the cursor for nil.
  public func setCursor(scanout: Int, bufferID: UInt32?, x: Int, y: Int, hotX: Int = 0, hotY: Int = 0) {
    guard let head = output(scanout) else { return }
    if let bufferID, buffers[bufferID]?.scanout != scanout { return }
    enqueue(
      .cursor(
        SetCursor(
          scanout: UInt32(scanout), generation: head.generation, bufferID: bufferID, x: Int32(clamping: x),
          y: Int32(clamping: y), hotX: UInt32(clamping: hotX), hotY: UInt32(clamping: hotY))))
  }

  /// Reports the path that a scanout takes, and why a better one is unavailable.
  ///
  /// - Parameter reason: a message for the user; cut after 255 bytes.
  public func setPath(scanout: Int, path: PresentPath, reason: String) {
    guard output(scanout) != nil else { return }
    enqueue(.path(scanout: UInt32(scanout), path, reason: reason))
  }

  /// Destroys a buffer; the daemon frees it once it has left the screen. An unknown one is ignored.
  public func destroyBuffer(_ id: UInt32) {
    if buffers.removeValue(forKey: id) != nil { enqueue(.destroyBuffer(id)) }
  }
}
