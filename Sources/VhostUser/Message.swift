import GuestMemory

/// The requests of a frontend (docs/interop/vhost-user.rst, "Front-end message types").
///
/// Only those that this backend serves; every other id is answered as unsupported.
public enum Request: UInt32, Sendable {
  /// VHOST_USER_GET_FEATURES (1).
  case getFeatures = 1
  /// VHOST_USER_SET_FEATURES (2).
  case setFeatures = 2
  /// VHOST_USER_SET_OWNER (3).
  case setOwner = 3
  /// VHOST_USER_RESET_OWNER (4): deprecated; stops all rings.
  case resetOwner = 4
  /// VHOST_USER_SET_MEM_TABLE (5).
  case setMemoryTable = 5
  /// VHOST_USER_SET_VRING_NUM (8).
  case setVringNum = 8
  /// VHOST_USER_SET_VRING_ADDR (9).
  case setVringAddress = 9
  /// VHOST_USER_SET_VRING_BASE (10).
  case setVringBase = 10
  /// VHOST_USER_GET_VRING_BASE (11): stops the ring.
  case getVringBase = 11
  /// VHOST_USER_SET_VRING_KICK (12).
  case setVringKick = 12
  /// VHOST_USER_SET_VRING_CALL (13).
  case setVringCall = 13
  /// VHOST_USER_SET_VRING_ERR (14).
  case setVringError = 14
  /// VHOST_USER_GET_PROTOCOL_FEATURES (15).
  case getProtocolFeatures = 15
  /// VHOST_USER_SET_PROTOCOL_FEATURES (16).
  case setProtocolFeatures = 16
  /// VHOST_USER_GET_QUEUE_NUM (17).
  case getQueueNum = 17
  /// VHOST_USER_SET_VRING_ENABLE (18).
  case setVringEnable = 18
  /// VHOST_USER_SET_BACKEND_REQ_FD (21).
  case setBackendRequestFD = 21
  /// VHOST_USER_GET_CONFIG (24).
  case getConfig = 24
  /// VHOST_USER_SET_CONFIG (25).
  case setConfig = 25
  /// VHOST_USER_GPU_SET_SOCKET (33).
  case gpuSetSocket = 33
  /// VHOST_USER_RESET_DEVICE (34).
  case resetDevice = 34
  /// VHOST_USER_GET_MAX_MEM_SLOTS (36).
  case getMaxMemorySlots = 36
  /// VHOST_USER_ADD_MEM_REG (37).
  case addMemoryRegion = 37
  /// VHOST_USER_REM_MEM_REG (38).
  case removeMemoryRegion = 38

  /// Whether the request has its own answer, which replaces the acknowledgement.
  public var hasReply: Bool {
    switch self {
    case .getFeatures, .getProtocolFeatures, .getQueueNum, .getVringBase, .getConfig, .getMaxMemorySlots: true
    case .setFeatures, .setOwner, .resetOwner, .setMemoryTable, .setVringNum, .setVringAddress, .setVringBase,
      .setVringKick, .setVringCall, .setVringError, .setProtocolFeatures, .setVringEnable, .setBackendRequestFD,
      .setConfig, .gpuSetSocket, .resetDevice, .addMemoryRegion, .removeMemoryRegion:
      false
    }
  }

  /// The most descriptors that may come with the request.
  public var maxFDCount: Int {
    switch self {
    case .setMemoryTable: MemoryTable.maxRegionCount
    case .setVringKick, .setVringCall, .setVringError, .setBackendRequestFD, .gpuSetSocket, .addMemoryRegion,
      .removeMemoryRegion:
      1
    case .getFeatures, .setFeatures, .setOwner, .resetOwner, .setVringNum, .setVringAddress, .setVringBase,
      .getVringBase, .getProtocolFeatures, .setProtocolFeatures, .getQueueNum, .setVringEnable, .getConfig, .setConfig,
      .resetDevice, .getMaxMemorySlots:
      0
    }
  }
}

/// The requests of a backend, sent over the channel of SET_BACKEND_REQ_FD.
public enum BackendRequest: UInt32, Sendable {
  /// VHOST_USER_BACKEND_CONFIG_CHANGE_MSG (2): the config space has changed.
  case configChange = 2
}

/// The 12-byte header of every message.
public struct MessageHeader: Equatable, Sendable {
  /// The size of a header in bytes.
  public static let byteCount = 12
  /// The largest accepted payload. The longest one in use, a GET_CONFIG of 256 bytes, has 268.
  public static let maxPayloadByteCount = 4096
  /// Bits 0 and 1: the version, always 1.
  public static let version: UInt32 = 1
  /// Bit 2: the message is a reply.
  public static let replyFlag: UInt32 = 1 << 2
  /// Bit 3: an acknowledgement is requested (with REPLY_ACK).
  public static let needReplyFlag: UInt32 = 1 << 3

  /// The request's id; unchecked.
  public var request: UInt32
  /// Version and flags.
  public var flags: UInt32
  /// The size of the payload in bytes.
  public var payloadByteCount: UInt32

  /// A header.
  public init(request: UInt32, flags: UInt32 = MessageHeader.version, payloadByteCount: Int) {
    self.request = request
    self.flags = flags
    self.payloadByteCount = UInt32(truncatingIfNeeded: payloadByteCount)
  }

  /// Whether an acknowledgement is requested.
  public var needsReply: Bool { flags & MessageHeader.needReplyFlag != 0 }

  /// Parses a header; nil with fewer than 12 bytes.
  public init?(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard let request = reader.read(UInt32.self), let flags = reader.read(UInt32.self),
      let count = reader.read(UInt32.self)
    else { return nil }
    self.request = request
    self.flags = flags
    payloadByteCount = count
  }

  /// Throws if the header cannot start a message to a backend.
  public func validate() throws(VhostUserError) {
    guard flags & 3 == MessageHeader.version, flags & MessageHeader.replyFlag == 0 else {
      throw .badFlags(request: request, flags: flags)
    }
    guard payloadByteCount <= UInt32(MessageHeader.maxPayloadByteCount) else {
      throw .payloadTooLong(request: request, byteCount: payloadByteCount)
    }
  }

  /// The bytes of the header and `payload`.
  public func encoded(_ payload: [UInt8] = []) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(MessageHeader.byteCount + payload.count)
    bytes.append(littleEndian: request)
    bytes.append(littleEndian: flags)
    bytes.append(littleEndian: payloadByteCount)
    bytes.append(contentsOf: payload)
    return bytes
  }
}

extension [UInt8] {
  /// Appends an integer's bytes, lowest first.
  public mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> T(shift))) }
  }
}
