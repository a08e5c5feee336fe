public import GuestMemory

/// `VhostUserMemoryRegion`: 32 bytes.
public struct MemoryRegionDescription: Equatable, Sendable {
  /// Bytes on the wire.
  public static let byteCount = 32
  /// Guest-physical address.
  public var guestAddress: UInt64
  /// Length in bytes.
  public var byteCount: UInt64
  /// The frontend's address of the same bytes.
  public var userAddress: UInt64
  /// The offset of the region in its file.
  public var fileOffset: UInt64

  /// A region.
  public init(guestAddress: UInt64, byteCount: UInt64, userAddress: UInt64, fileOffset: UInt64) {
    self.guestAddress = guestAddress
    self.byteCount = byteCount
    self.userAddress = userAddress
    self.fileOffset = fileOffset
  }

  /// Parses 32 bytes.
  public init?(_ reader: inout ByteReader) {
    guard let guestAddress = reader.read(UInt64.self), let byteCount = reader.read(UInt64.self),
      let userAddress = reader.read(UInt64.self), let fileOffset = reader.read(UInt64.self)
    else { return nil }
    self.init(guestAddress: guestAddress, byteCount: byteCount, userAddress: userAddress, fileOffset: fileOffset)
  }

  /// Parses the payload of ADD_MEM_REG or REM_MEM_REG: 8 bytes of padding, then a region.
  public init?(padded bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard reader.advance(8), reader.remaining == MemoryRegionDescription.byteCount else { return nil }
    self.init(&reader)
  }

  /// The payload of ADD_MEM_REG or REM_MEM_REG.
  public var paddedEncoded: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 8)
    encode(into: &bytes)
    return bytes
  }

  /// Appends 32 bytes.
  public func encode(into bytes: inout [UInt8]) {
    for field in [guestAddress, byteCount, userAddress, fileOffset] { bytes.append(littleEndian: field) }
  }
}

/// The payload of SET_MEM_TABLE: `u32 count, u32 padding`, then the regions.
public struct MemoryTable: Equatable, Sendable {
  /// VHOST_MEMORY_BASELINE_NREGIONS is 8; larger tables use ADD_MEM_REG.
  public static let maxRegionCount = 8
  /// The regions; each has its own descriptor in the message.
  public var regions: [MemoryRegionDescription]

  /// A table.
  public init(regions: [MemoryRegionDescription]) { self.regions = regions }

  /// Parses a payload; nil if count and length disagree, or there are more than 8 regions.
  public init?(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard let count = reader.read(UInt32.self), reader.advance(4), count <= UInt32(MemoryTable.maxRegionCount),
      reader.remaining == Int(count) * MemoryRegionDescription.byteCount
    else { return nil }
    regions = []
    while let region = MemoryRegionDescription(&reader) { regions.append(region) }
  }

  /// The bytes of the payload.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt32(truncatingIfNeeded: regions.count))
    bytes.append(littleEndian: UInt32(0))
    for region in regions { region.encode(into: &bytes) }
    return bytes
  }
}

/// `vhost_vring_state`: 8 bytes.
public struct VringState: Equatable, Sendable {
  /// The ring's index.
  public var index: UInt32
  /// Size, base, or 0 / 1, depending on the request.
  public var number: UInt32

  /// A ring and its number.
  public init(index: UInt32, number: UInt32) {
    self.index = index
    self.number = number
  }

  /// Parses a payload.
  public init?(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard let index = reader.read(UInt32.self), let number = reader.read(UInt32.self), reader.remaining == 0 else {
      return nil
    }
    self.init(index: index, number: number)
  }

  /// The bytes of the payload.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: index)
    bytes.append(littleEndian: number)
    return bytes
  }
}

/// `vhost_vring_addr`: 40 bytes. The addresses are the frontend's.
public struct VringAddress: Equatable, Sendable {
  /// The ring's index.
  public var index: UInt32
  /// Bit 0 enables logging, which is not offered.
  public var flags: UInt32
  /// `virtq_desc[]`.
  public var descriptorTable: UInt64
  /// `virtq_used`.
  public var usedRing: UInt64
  /// `virtq_avail`.
  public var availRing: UInt64
  /// The log's address; unused.
  public var log: UInt64

  /// A ring's parts.
  public init(index: UInt32, descriptorTable: UInt64, usedRing: UInt64, availRing: UInt64) {
    self.index = index
    flags = 0
    self.descriptorTable = descriptorTable
    self.usedRing = usedRing
    self.availRing = availRing
    log = 0
  }

  /// Parses a payload.
  public init?(_ bytes: RawSpan) {
    var reader = ByteReader(bytes)
    guard let index = reader.read(UInt32.self), let flags = reader.read(UInt32.self),
      let descriptorTable = reader.read(UInt64.self), let usedRing = reader.read(UInt64.self),
      let availRing = reader.read(UInt64.self), let log = reader.read(UInt64.self), reader.remaining == 0
    else { return nil }
    self.init(index: index, descriptorTable: descriptorTable, usedRing: usedRing, availRing: availRing)
    self.flags = flags
    self.log = log
  }

  /// The bytes of the payload.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: index)
    bytes.append(littleEndian: flags)
    for field in [descriptorTable, usedRing, availRing, log] { bytes.append(littleEndian: field) }
    return bytes
  }
}

/// The u64 of SET_VRING_KICK, CALL and ERR.
public struct VringFile: Equatable, Sendable {
  /// Bit 8: the message has no descriptor.
  public static let noFDFlag: UInt64 = 1 << 8
  /// Bits 0 to 7: the ring's index.
  public var index: UInt32
  /// Whether the message has a descriptor.
  public var hasFD: Bool

  /// A ring, with or without a descriptor.
  public init(index: UInt32, hasFD: Bool) {
    self.index = index
    self.hasFD = hasFD
  }

  /// Parses the number.
  public init(_ number: UInt64) {
    self.init(index: UInt32(number & 0xff), hasFD: number & VringFile.noFDFlag == 0)
  }

  /// The number.
  public var encoded: UInt64 { UInt64(index & 0xff) | (hasFD ? 0 : VringFile.noFDFlag) }
}

/// The payload of GET_CONFIG and SET_CONFIG: `u32 offset, u32 size, u32 flags`, then `size` bytes.
public struct ConfigAccess: Equatable, Sendable {
  /// VHOST_USER_MAX_CONFIG_SIZE.
  public static let maxByteCount: UInt32 = 256
  /// Bytes before the content.
  public static let headerByteCount = 12
  /// The first byte of the config space.
  public var offset: UInt32
  /// Bit 0: written for a migration. Returned unchanged.
  public var flags: UInt32
  /// The bytes to write; for GET_CONFIG only their number counts.
  public var bytes: [UInt8]

  /// An access.
  public init(offset: UInt32, flags: UInt32 = 0, bytes: [UInt8]) {
    self.offset = offset
    self.flags = flags
    self.bytes = bytes
  }

  /// Parses a payload; nil if size and length disagree, or the access exceeds the 256 bytes.
  public init?(_ payload: RawSpan) {
    var reader = ByteReader(payload)
    guard let offset = reader.read(UInt32.self), let size = reader.read(UInt32.self),
      let flags = reader.read(UInt32.self), size <= ConfigAccess.maxByteCount, reader.remaining == Int(size),
      UInt64(offset) + UInt64(size) <= UInt64(ConfigAccess.maxByteCount)
    else { return nil }
    self.init(offset: offset, flags: flags, bytes: [])
    bytes.reserveCapacity(Int(size))
    while let byte = reader.read(UInt8.self) { bytes.append(byte) }
  }

  /// The bytes of the payload.
  public var encoded: [UInt8] {
    var payload: [UInt8] = []
    payload.append(littleEndian: offset)
    payload.append(littleEndian: UInt32(truncatingIfNeeded: bytes.count))
    payload.append(littleEndian: flags)
    return payload + bytes
  }
}
