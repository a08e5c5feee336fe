import CFramepathABI
public import Scanout

/// How a frame's bytes reached the scanned-out buffer.
public enum PresentPath: UInt32, Sendable {
  /// The hardware reads the client's pages.
  case direct = 1
  /// One CPU copy into a host buffer.
  case copy = 2
  /// Composed by the daemon.
  case blit = 3
}

/// PRESENT: shows a buffer at the next vblank.
public struct Present: Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// Rises with every present of a scanout.
  public var frame: UInt64
  /// The buffer.
  public var bufferID: UInt32
  /// The part of the buffer that is shown, in its pixels.
  public var source: Rect
  /// The damage since the scanout's last frame, in the buffer's pixels.
  public var damage: Damage
  /// How the bytes reached the buffer.
  public var path: PresentPath
  /// The number of CPU copies of this frame so far.
  public var copies: UInt32
  /// The bytes that a CPU copied for it.
  public var copiedBytes: UInt64
  /// CLOCK_MONOTONIC nanoseconds at which the guest presented the frame; nil if unknown.
  public var readyNanoseconds: UInt64?
  /// Whether the message has a descriptor with an acquire fence.
  public var hasAcquireFence: Bool

  /// A present of that frame.
  public init(
    scanout: UInt32, generation: UInt32, frame: UInt64, bufferID: UInt32, source: Rect,
    damage: Damage = .full, path: PresentPath, copies: UInt32 = 0, copiedBytes: UInt64 = 0,
    readyNanoseconds: UInt64? = nil, hasAcquireFence: Bool = false
  ) {
    self.scanout = scanout
    self.generation = generation
    self.frame = frame
    self.bufferID = bufferID
    self.source = source
    self.damage = damage
    self.path = path
    self.copies = copies
    self.copiedBytes = copiedBytes
    self.readyNanoseconds = readyNanoseconds
    self.hasAcquireFence = hasAcquireFence
  }
}

/// SYNC_POINTS: timeline points for the scanout's next PRESENT. Descriptors: their `drm_syncobj`s.
public struct SyncPoints: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The buffer is read once this point is signalled; nil for at once.
  public var acquirePoint: UInt64?
  /// Signalled when the buffer is no longer read for that frame; nil for none.
  public var releasePoint: UInt64?

  /// Points for the next frame.
  public init(scanout: UInt32, acquirePoint: UInt64?, releasePoint: UInt64?) {
    self.scanout = scanout
    self.acquirePoint = acquirePoint
    self.releasePoint = releasePoint
  }
}

private let acquireFenceFlag = UInt16(FRAMEPATH_PRESENT_ACQUIRE_FENCE.rawValue)

extension framepath_present {
  init(_ present: Present) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_PRESENT, framepath_present.self)
    frame = present.frame
    scanout = present.scanout
    buffer_id = present.bufferID
    source = framepath_rect(present.source)
    path = UInt16(truncatingIfNeeded: present.path.rawValue)
    flags = present.hasAcquireFence ? acquireFenceFlag : 0
    copies = present.copies
    copied_bytes = present.copiedBytes
    ready_ns = present.readyNanoseconds ?? 0
    generation = present.generation
    store(present.damage)
  }

  /// No rectangles: everything. A single empty rectangle: nothing.
  private mutating func store(_ new: Damage) {
    guard case .region(let region) = new else { return }
    damage_count = UInt32(max(region.count, 1))
    unsafe withUnsafeMutableBytes(of: &damage) { space in
      let rects = unsafe space.bindMemory(to: framepath_rect.self)
      for index in 0..<min(region.count, rects.count) { unsafe rects[index] = framepath_rect(region[index]) }
    }
  }

  /// Parts outside the source are dropped; `damage_count` was checked.
  fileprivate func loadDamage() -> Damage {
    if damage_count == 0 { return .full }
    var rectangles = damage
    let (count, source) = (Int(damage_count), source.rect)
    return unsafe withUnsafeBytes(of: &rectangles) { space in
      let rects = unsafe space.bindMemory(to: framepath_rect.self)
      var region = DamageRegion()
      for index in 0..<count { region.add(unsafe rects[index].rect.intersection(source)) }
      return .region(region)
    }
  }
}

extension Present {
  init(_ wire: framepath_present) throws(PresentProtocolError) {
    guard let path = PresentPath(rawValue: UInt32(wire.path)) else { throw .malformed("PRESENT has path \(wire.path)") }
    guard wire.flags & ~acquireFenceFlag == 0 else { throw .malformed("PRESENT has unknown flags \(wire.flags)") }
    guard wire.damage_count <= UInt32(FRAMEPATH_MAX_DAMAGE) else {
      throw .malformed("PRESENT has \(wire.damage_count) damage rectangles")
    }
    guard wire.copied_bytes <= PresentLimits.copiedByteCount else {
      throw .malformed("PRESENT has \(wire.copied_bytes) copied bytes, more than \(PresentLimits.copiedByteCount)")
    }
    let source = wire.source.rect
    guard source.x >= 0, source.y >= 0, !source.isEmpty else {
      throw .malformed("PRESENT of (\(source.x), \(source.y)) \(source.width)x\(source.height)")
    }
    self.init(
      scanout: wire.scanout, generation: wire.generation, frame: wire.frame, bufferID: wire.buffer_id, source: source,
      damage: wire.loadDamage(), path: path, copies: wire.copies, copiedBytes: wire.copied_bytes,
      readyNanoseconds: wire.ready_ns == 0 ? nil : wire.ready_ns,
      hasAcquireFence: wire.flags & acquireFenceFlag != 0)
  }
}

extension framepath_path {
  init(scanout: UInt32, path: PresentPath, reason text: String) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_PATH, framepath_path.self)
    self.scanout = scanout
    self.path = path.rawValue
    storeText(text, in: &reason)
  }
}

extension framepath_sync_points {
  init(_ points: SyncPoints, _ request: UInt64) {
    var flags: UInt32 = 0
    if points.acquirePoint != nil { flags |= FRAMEPATH_SYNC_ACQUIRE.rawValue }
    if points.releasePoint != nil { flags |= FRAMEPATH_SYNC_RELEASE.rawValue }
    self.init(
      header: PresentProtocol.header(FRAMEPATH_SYNC_POINTS, framepath_sync_points.self, request: request),
      scanout: points.scanout, flags: flags, acquire_point: points.acquirePoint ?? 0,
      release_point: points.releasePoint ?? 0)
  }
}

extension SyncPoints {
  init(_ wire: framepath_sync_points) throws(PresentProtocolError) {
    let known = FRAMEPATH_SYNC_ACQUIRE.rawValue | FRAMEPATH_SYNC_RELEASE.rawValue
    guard wire.flags & ~known == 0 else { throw .malformed("SYNC_POINTS has unknown flags \(wire.flags)") }
    self.init(
      scanout: wire.scanout, acquirePoint: wire.flags & FRAMEPATH_SYNC_ACQUIRE.rawValue != 0 ? wire.acquire_point : nil,
      releasePoint: wire.flags & FRAMEPATH_SYNC_RELEASE.rawValue != 0 ? wire.release_point : nil)
  }
}
