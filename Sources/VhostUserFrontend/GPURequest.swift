import VhostUser

/// A piece of guest memory.
public typealias GuestPiece = (address: UInt64, byteCount: Int)

/// Commands of the virtio-gpu control queue as Linux writes them (virtio 1.3, section 5.7.6).
public enum GPURequest {
  /// VIRTIO_GPU_RESP_OK_NODATA.
  public static let success: UInt32 = 0x1100
  /// VIRTIO_GPU_RESP_OK_DISPLAY_INFO.
  public static let displayInfo: UInt32 = 0x1101
  /// VIRTIO_GPU_RESP_OK_EDID.
  public static let edid: UInt32 = 0x1104
  /// Bytes of that answer: header, size, padding, 1024 bytes of EDID.
  public static let edidByteCount = 24 + 8 + 1024
  /// Bytes of the answer to GET_DISPLAY_INFO.
  public static let displayInfoByteCount = 24 + 16 * 24
  /// Bytes of a header, and of an answer that is only a header.
  public static let headerByteCount = 24
  /// VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM: what Linux chooses for XR24.
  public static let format: UInt32 = 2
  /// VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, for cursors.
  public static let cursorFormat: UInt32 = 1

  /// VIRTIO_GPU_CMD_GET_DISPLAY_INFO.
  public static func getDisplayInfo() -> [UInt8] { header(0x0100) }

  /// A command with VIRTIO_GPU_FLAG_FENCE and a fence's number.
  public static func fenced(_ command: [UInt8], _ fence: UInt64) -> [UInt8] {
    Array(command[..<4]) + words([1]) + long(fence) + Array(command[16...])
  }

  /// VIRTIO_GPU_CMD_GET_EDID.
  public static func getEDID(_ scanout: UInt32) -> [UInt8] { header(0x010A) + words([scanout, 0]) }

  /// VIRTIO_GPU_CMD_UPDATE_CURSOR with a picture and its hotspot, or MOVE_CURSOR for `isMove`; resource 0 hides it.
  public static func cursor(
    _ resource: UInt32, x: UInt32, y: UInt32, hotX: UInt32 = 0, hotY: UInt32 = 0, isMove: Bool = false
  ) -> [UInt8] {
    header(isMove ? 0x0301 : 0x0300) + words([0, x, y, 0, resource, hotX, hotY, 0])
  }

  /// VIRTIO_GPU_CMD_RESOURCE_UNREF.
  public static func unref(_ resource: UInt32) -> [UInt8] { header(0x0102) + words([resource, 0]) }

  /// VIRTIO_GPU_CMD_RESOURCE_CREATE_2D.
  public static func create2D(
    _ resource: UInt32, width: Int, height: Int, format: UInt32 = format
  ) -> [UInt8] {
    header(0x0101) + words([resource, format, UInt32(width), UInt32(height)])
  }

  /// VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING.
  public static func attachBacking(_ resource: UInt32, _ pieces: [GuestPiece]) -> [UInt8] {
    header(0x0106) + words([resource, UInt32(pieces.count)]) + entries(pieces)
  }

  /// VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB of guest memory, USE_SHAREABLE as in Linux for dumb buffers.
  public static func createBlob(_ resource: UInt32, _ pieces: [GuestPiece]) -> [UInt8] {
    let size = UInt64(pieces.reduce(0) { $0 + $1.byteCount })
    return header(0x010C) + words([resource, 1, 2, UInt32(pieces.count)]) + long(0) + long(size) + entries(pieces)
  }

  /// VIRTIO_GPU_CMD_SET_SCANOUT of the whole picture; resource 0 turns the scanout off.
  public static func setScanout(_ resource: UInt32, width: Int, height: Int, scanout: UInt32 = 0) -> [UInt8] {
    header(0x0103) + rect(0, 0, width, height) + words([scanout, resource])
  }

  /// VIRTIO_GPU_CMD_SET_SCANOUT_BLOB of the picture's upper left corner.
  ///
  /// - Parameter picture: the whole picture's size; nil if all of it is shown.
  public static func setScanoutBlob(
    _ resource: UInt32, width: Int, height: Int, of picture: (width: Int, height: Int)? = nil,
    scanout: UInt32 = 0
  ) -> [UInt8] {
    let whole = picture ?? (width, height)
    return header(0x010D) + rect(0, 0, width, height)
      + words([scanout, resource, UInt32(whole.width), UInt32(whole.height), format, 0, UInt32(whole.width * 4)])
      + [UInt8](repeating: 0, count: 28)
  }

  /// VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D of a part, by default of the upper left corner.
  ///
  /// - Parameter offset: of the part's first pixel in the resource's memory in bytes.
  public static func transfer(
    _ resource: UInt32, x: Int = 0, y: Int = 0, width: Int, height: Int, offset: Int = 0
  ) -> [UInt8] {
    header(0x0105) + rect(x, y, width, height) + long(UInt64(offset)) + words([resource, 0])
  }

  /// VIRTIO_GPU_CMD_RESOURCE_FLUSH of a part, by default of the upper left corner.
  public static func flush(
    _ resource: UInt32, x: Int = 0, y: Int = 0, width: Int, height: Int, isFenced: Bool = false
  ) -> [UInt8] {
    header(0x0104, isFenced: isFenced) + rect(x, y, width, height) + words([resource, 0])
  }

  private static func header(_ type: UInt32, isFenced: Bool = false) -> [UInt8] {
    words([type, isFenced ? 1 : 0, isFenced ? 1 : 0, 0, 0, 0])
  }

  private static func rect(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> [UInt8] {
    words([UInt32(x), UInt32(y), UInt32(width), UInt32(height)])
  }

  private static func entries(_ pieces: [GuestPiece]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16 * pieces.count)
    for piece in pieces { bytes += long(piece.address) + words([UInt32(piece.byteCount), 0]) }
    return bytes
  }

  private static func words(_ values: [UInt32]) -> [UInt8] {
    var bytes: [UInt8] = []
    for value in values { bytes.append(littleEndian: value) }
    return bytes
  }

  private static func long(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    return bytes
  }
}
