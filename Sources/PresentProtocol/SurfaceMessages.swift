import CFramepathABI

/// CURSOR: image and position of a scanout's cursor.
public struct SetCursor: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// A buffer of usage `cursor`; nil hides the cursor.
  public var bufferID: UInt32?
  /// Pixels from the frame's left edge to the cursor's; may be negative.
  public var x: Int32
  /// Pixels from the frame's top edge to the cursor's; may be negative.
  public var y: Int32
  /// The hotspot's x in the cursor image.
  public var hotX: UInt32
  /// The hotspot's y in the cursor image.
  public var hotY: UInt32

  /// A cursor at that position.
  public init(
    scanout: UInt32, generation: UInt32, bufferID: UInt32?, x: Int32, y: Int32, hotX: UInt32 = 0, hotY: UInt32 = 0
  ) {
    self.scanout = scanout
    self.generation = generation
    self.bufferID = bufferID
    self.x = x
    self.y = y
    self.hotX = hotX
    self.hotY = hotY
  }
}

/// REGION: a scanout's frames come through the rings of a region from now on.
public struct AttachRegion: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The size of the memory: a power of two.
  public var regionByteCount: UInt64
  /// The number of slots, 1 to 16.
  public var slotCount: UInt32
  /// Whether the guest reads this machine's CLOCK_MONOTONIC.
  public var sharesClock: Bool
  /// Whether an eventfd for the daemon to raise comes with the message; otherwise REGION_NEWS is sent.
  public var hasGuestDoorbell: Bool

  /// A request to show a region.
  public init(
    scanout: UInt32, regionByteCount: UInt64, slotCount: UInt32, sharesClock: Bool, hasGuestDoorbell: Bool
  ) {
    self.scanout = scanout
    self.regionByteCount = regionByteCount
    self.slotCount = slotCount
    self.sharesClock = sharesClock
    self.hasGuestDoorbell = hasGuestDoorbell
  }
}

extension framepath_cursor {
  init(_ cursor: SetCursor) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_CURSOR, framepath_cursor.self), scanout: cursor.scanout,
      buffer_id: cursor.bufferID ?? 0, x: cursor.x, y: cursor.y, hot_x: cursor.hotX, hot_y: cursor.hotY,
      generation: cursor.generation, reserved: 0)
  }
}

extension SetCursor {
  init(_ wire: framepath_cursor) {
    self.init(
      scanout: wire.scanout, generation: wire.generation, bufferID: wire.buffer_id == 0 ? nil : wire.buffer_id,
      x: wire.x, y: wire.y, hotX: wire.hot_x, hotY: wire.hot_y)
  }
}

extension framepath_region_message {
  init(_ region: AttachRegion) {
    var flags: UInt32 = 0
    if region.sharesClock { flags |= FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue }
    if region.hasGuestDoorbell { flags |= FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue }
    self.init(
      header: PresentProtocol.header(FRAMEPATH_REGION, framepath_region_message.self), scanout: region.scanout,
      flags: flags, region_bytes: region.regionByteCount, slot_count: region.slotCount, reserved: 0)
  }
}

extension AttachRegion {
  init(_ wire: framepath_region_message) throws(PresentProtocolError) {
    let known = FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue | FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue
    guard wire.flags & ~known == 0 else { throw .malformed("REGION has unknown flags \(wire.flags)") }
    self.init(
      scanout: wire.scanout, regionByteCount: wire.region_bytes, slotCount: wire.slot_count,
      sharesClock: wire.flags & FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue != 0,
      hasGuestDoorbell: wire.flags & FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue != 0)
  }
}
