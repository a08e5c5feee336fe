/// How frames of a VM may reach the screen.
public enum PathPolicy: String, Sendable, CaseIterable {
  /// The best path that cannot tear.
  case auto
  /// Always copy into a host buffer.
  case copy
  /// Without a copy wherever possible, even if an unpaced guest may tear.
  case direct
}

/// The configuration of a device.
public struct DeviceConfiguration: Sendable {
  /// VIRTIO_GPU_MAX_SCANOUTS.
  public static let maxScanoutCount = 16

  /// The number of the guest's heads, 1 to 16.
  public var scanoutCount: Int
  /// The limit on the bytes of this process that the guest's resources take, like QEMU's `max_hostmem`: pictures whose pages
  /// the guest took back, cursors, lists of pages, and the stills of a stopped device. The guest's own pages do not
  /// count, and the display's buffers are limited by the display.
  public var memoryLimitBytes: Int
  /// How frames may reach the screen.
  public var pathPolicy: PathPolicy
  /// The longest time that a fenced flush is held. Linux waits 50 ms for it.
  public var flushDeadlineNanoseconds: UInt64
  /// How long a stopped device's last picture is shown before the screen goes black; nil: until it restarts.
  public var stoppedBlankNanoseconds: UInt64?

  /// A device of `scanoutCount` heads.
  public init(
    scanoutCount: Int = 1, memoryLimitBytes: Int = 256 << 20, pathPolicy: PathPolicy = .auto,
    flushDeadlineNanoseconds: UInt64 = 45_000_000, stoppedBlankNanoseconds: UInt64? = nil
  ) {
    self.scanoutCount = min(max(scanoutCount, 1), DeviceConfiguration.maxScanoutCount)
    self.memoryLimitBytes = memoryLimitBytes
    self.pathPolicy = pathPolicy
    self.flushDeadlineNanoseconds = flushDeadlineNanoseconds
    self.stoppedBlankNanoseconds = stoppedBlankNanoseconds
  }
}

/// The device's feature bits (virtio 1.3, 5.7.3), as masks.
public struct DeviceFeatures: OptionSet, Sendable {
  /// Bits as negotiated.
  public let rawValue: UInt64
  /// A set of features from its bits.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// VIRTIO_GPU_F_EDID (bit 1): GET_EDID.
  public static let edid = DeviceFeatures(rawValue: 1 << 1)
  /// VIRTIO_GPU_F_RESOURCE_BLOB (bit 3): blob resources of guest memory.
  public static let resourceBlob = DeviceFeatures(rawValue: 1 << 3)
}
