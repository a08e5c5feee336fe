/// Feature bits that every virtio device shares (virtio 1.3, section 6).
public struct VirtioFeatures: OptionSet, Sendable {
  /// The negotiated bits, including the device's own.
  public let rawValue: UInt64
  /// A set from its bits.
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// VIRTIO_F_NOTIFY_ON_EMPTY (24) of virtio 0.9, which QEMU offers by itself.
  public static let notifyOnEmpty = VirtioFeatures(rawValue: 1 << 24)
  /// VIRTIO_F_INDIRECT_DESC (28).
  public static let indirectDescriptors = VirtioFeatures(rawValue: 1 << 28)
  /// VIRTIO_F_EVENT_IDX (29).
  public static let eventIndex = VirtioFeatures(rawValue: 1 << 29)
  /// VIRTIO_F_VERSION_1 (32).
  public static let version1 = VirtioFeatures(rawValue: 1 << 32)
}
