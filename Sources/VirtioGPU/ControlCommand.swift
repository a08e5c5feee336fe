import GuestMemory
import Scanout

/// `struct virtio_gpu_ctrl_hdr`: the 24-byte header of every command and response.
struct ControlHeader: Equatable {
  static let byteCount = 24

  var type: UInt32
  var flags: UInt32
  var fenceID: UInt64
  var contextID: UInt32
  var ringIndex: UInt8

  /// VIRTIO_GPU_FLAG_FENCE (bit 0): the response signals that the command is complete.
  static let fenceFlag: UInt32 = 1
  /// VIRTIO_GPU_FLAG_INFO_RING_IDX (bit 1): `ring_idx` is valid.
  static let ringIndexFlag: UInt32 = 2

  var isFenced: Bool { flags & ControlHeader.fenceFlag != 0 }

  /// The header for the response to a request of fewer than 24 bytes.
  static let none = ControlHeader(type: 0, flags: 0, fenceID: 0, contextID: 0, ringIndex: 0)

  init(type: UInt32, flags: UInt32, fenceID: UInt64, contextID: UInt32, ringIndex: UInt8) {
    self.type = type
    self.flags = flags
    self.fenceID = fenceID
    self.contextID = contextID
    self.ringIndex = ringIndex
  }

  @_lifetime(reader: copy reader)
  init?(_ reader: inout ByteReader) {
    guard let type = reader.read(UInt32.self), let flags = reader.read(UInt32.self),
      let fenceID = reader.read(UInt64.self), let contextID = reader.read(UInt32.self),
      let ringIndex = reader.read(UInt8.self), reader.advance(3)
    else { return nil }
    self.init(type: type, flags: flags, fenceID: fenceID, contextID: contextID, ringIndex: ringIndex)
  }
}

/// The layout of a picture in a blob (`struct virtio_gpu_set_scanout_blob`).
struct BlobScanout: Equatable {
  var source: Rect
  var scanout: UInt32
  var resource: UInt32
  var width: UInt32
  var height: UInt32
  var format: UInt32
  var strideBytes: UInt32
  var offset: UInt32
}

/// The fields of `struct virtio_gpu_resource_create_blob`; the entries follow.
struct BlobCreation: Equatable {
  var resource: UInt32
  var memory: UInt32
  var flags: UInt32
  var entryCount: UInt32
  var byteCount: UInt64

  /// VIRTIO_GPU_BLOB_MEM_GUEST.
  static let guestMemory: UInt32 = 1
  /// USE_MAPPABLE, USE_SHAREABLE and USE_CROSS_DEVICE.
  static let knownFlags: UInt32 = 7
}

/// A command of the control queue, decoded but not validated.
enum ControlCommand: Equatable {
  /// VIRTIO_GPU_CMD_GET_DISPLAY_INFO (0x0100).
  case getDisplayInfo
  /// VIRTIO_GPU_CMD_RESOURCE_CREATE_2D (0x0101).
  case resourceCreate2D(resource: UInt32, format: UInt32, width: UInt32, height: UInt32)
  /// VIRTIO_GPU_CMD_RESOURCE_UNREF (0x0102).
  case resourceUnref(resource: UInt32)
  /// VIRTIO_GPU_CMD_SET_SCANOUT (0x0103).
  case setScanout(source: Rect, scanout: UInt32, resource: UInt32)
  /// VIRTIO_GPU_CMD_RESOURCE_FLUSH (0x0104).
  case resourceFlush(rect: Rect, resource: UInt32)
  /// VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D (0x0105).
  case transferToHost2D(rect: Rect, offset: UInt64, resource: UInt32)
  /// VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING (0x0106); entries follow at byte 32.
  case attachBacking(resource: UInt32, entryCount: UInt32)
  /// VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING (0x0107).
  case detachBacking(resource: UInt32)
  /// VIRTIO_GPU_CMD_GET_EDID (0x010a).
  case getEDID(scanout: UInt32)
  /// VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB (0x010c); entries follow at byte 56.
  case resourceCreateBlob(BlobCreation)
  /// VIRTIO_GPU_CMD_SET_SCANOUT_BLOB (0x010d).
  case setScanoutBlob(BlobScanout)
  /// A 3D command with a context (0x0201…0x0207); contexts are not supported.
  case ofContext
  /// Any other command: capsets, UUIDs, mapping, 3D contexts and unknown numbers.
  case unsupported

  /// The offset of the entries of ATTACH_BACKING.
  static let attachBackingByteCount = 32
  /// The offset of the entries of RESOURCE_CREATE_BLOB.
  static let createBlobByteCount = 56

  /// Decodes the bytes after the header.
  ///
  /// - Throws: `.unspecified` if the request is too short for its command.
  @_lifetime(reader: copy reader)
  init(type: UInt32, _ reader: inout ByteReader) throws(GPUError) {
    switch type {
    case 0x0100:
      self = .getDisplayInfo
    case 0x0101:
      self = .resourceCreate2D(
        resource: try reader.next(), format: try reader.next(), width: try reader.next(), height: try reader.next())
    case 0x0102:
      self = .resourceUnref(resource: try reader.nextPadded())
    case 0x0103:
      self = .setScanout(source: try reader.nextRect(), scanout: try reader.next(), resource: try reader.next())
    case 0x0104:
      self = .resourceFlush(rect: try reader.nextRect(), resource: try reader.nextPadded())
    case 0x0105:
      self = .transferToHost2D(
        rect: try reader.nextRect(), offset: try reader.nextLong(), resource: try reader.nextPadded())
    case 0x0106:
      self = .attachBacking(resource: try reader.next(), entryCount: try reader.next())
    case 0x0107:
      self = .detachBacking(resource: try reader.nextPadded())
    case 0x010A:
      self = .getEDID(scanout: try reader.nextPadded())
    case 0x010C:
      var blob = BlobCreation(
        resource: try reader.next(), memory: try reader.next(), flags: try reader.next(), entryCount: try reader.next(),
        byteCount: 0)
      // blob_id is for host allocations only.
      _ = try reader.nextLong()
      blob.byteCount = try reader.nextLong()
      self = .resourceCreateBlob(blob)
    case 0x010D:
      self = .setScanoutBlob(try reader.nextBlobScanout())
    case 0x0201...0x0207:
      self = .ofContext
    default:
      self = .unsupported
    }
  }
}

/// A command of the cursor queue (`struct virtio_gpu_update_cursor`).
struct CursorCommand: Equatable {
  /// VIRTIO_GPU_CMD_UPDATE_CURSOR.
  static let updateType: UInt32 = 0x0300
  /// VIRTIO_GPU_CMD_MOVE_CURSOR.
  static let moveType: UInt32 = 0x0301

  var scanout: UInt32
  var x: Int
  var y: Int
  var resource: UInt32
  var hotX: Int
  var hotY: Int

  @_lifetime(reader: copy reader)
  init(_ reader: inout ByteReader) throws(GPUError) {
    scanout = try reader.next()
    // le32 in the specification; Linux sends signed coordinates.
    x = Int(Int32(bitPattern: try reader.next()))
    y = Int(Int32(bitPattern: try reader.next()))
    _ = try reader.next()
    resource = try reader.next()
    hotX = Int(try reader.next())
    hotY = Int(try reader.nextPadded())
  }
}

extension ByteReader {
  @_lifetime(self: copy self)
  fileprivate mutating func next() throws(GPUError) -> UInt32 {
    guard let value = read(UInt32.self) else { throw .unspecified }
    return value
  }

  @_lifetime(self: copy self)
  fileprivate mutating func nextLong() throws(GPUError) -> UInt64 {
    guard let value = read(UInt64.self) else { throw .unspecified }
    return value
  }

  /// A number and four bytes of padding.
  @_lifetime(self: copy self)
  fileprivate mutating func nextPadded() throws(GPUError) -> UInt32 {
    let value = try next()
    guard advance(4) else { throw .unspecified }
    return value
  }

  /// `struct virtio_gpu_rect`: four unsigned 32-bit numbers, whose sums fit 64 bits.
  @_lifetime(self: copy self)
  fileprivate mutating func nextRect() throws(GPUError) -> Rect {
    Rect(x: Int(try next()), y: Int(try next()), width: Int(try next()), height: Int(try next()))
  }

  @_lifetime(self: copy self)
  fileprivate mutating func nextBlobScanout() throws(GPUError) -> BlobScanout {
    var blob = BlobScanout(
      source: try nextRect(), scanout: try next(), resource: try next(), width: try next(), height: try next(),
      format: try nextPadded(), strideBytes: 0, offset: 0)
    // Four strides, then four offsets: RGB has one plane.
    blob.strideBytes = try next()
    guard advance(12) else { throw .unspecified }
    blob.offset = try next()
    guard advance(12) else { throw .unspecified }
    return blob
  }
}

extension PixelFormat {
  /// The format of `enum virtio_gpu_formats`, whose names list the components in memory order.
  init?(virtio: UInt32) {
    switch virtio {
    case 1: self = .argb8888
    case 2: self = .xrgb8888
    case 3: self = .bgra8888
    case 4: self = .bgrx8888
    case 67: self = .abgr8888
    case 68: self = .rgbx8888
    case 121: self = .rgba8888
    case 134: self = .xbgr8888
    default: return nil
    }
  }
}
