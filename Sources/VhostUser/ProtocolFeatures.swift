/// The protocol features that both sides support (VHOST_USER_PROTOCOL_F_*).
public struct ProtocolFeatures: OptionSet, Sendable {
  /// The bits.
  public let rawValue: UInt64
  /// A set from its bits.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// VHOST_USER_F_PROTOCOL_FEATURES (30), a virtio feature bit: protocol features exist.
  public static let featureMask: UInt64 = 1 << 30

  /// MQ (0): GET_QUEUE_NUM.
  public static let multiqueue = ProtocolFeatures(rawValue: 1 << 0)
  /// REPLY_ACK (3).
  public static let replyAck = ProtocolFeatures(rawValue: 1 << 3)
  /// BACKEND_REQ (5): the channel for config-change messages.
  public static let backendRequest = ProtocolFeatures(rawValue: 1 << 5)
  /// CONFIG (9): GET_CONFIG and SET_CONFIG. QEMU's vhost-user-gpu does not start without it.
  public static let config = ProtocolFeatures(rawValue: 1 << 9)
  /// RESET_DEVICE (13): QEMU sends it at guest resets from 9.2 on; older ones negotiate it and do not.
  public static let resetDevice = ProtocolFeatures(rawValue: 1 << 13)
  /// CONFIGURE_MEM_SLOTS (15): more than 8 regions, added and removed one by one.
  public static let configureMemorySlots = ProtocolFeatures(rawValue: 1 << 15)

  /// The features that this backend offers.
  ///
  /// Not LOG_SHMFD (1): without it QEMU blocks migration, which would lose the device's state. Not STATUS (16): QEMU
  /// before 8.1 sent it in the wrong order.
  public static let offered: ProtocolFeatures = [
    .multiqueue, .replyAck, .backendRequest, .config, .resetDevice, .configureMemorySlots,
  ]
}
