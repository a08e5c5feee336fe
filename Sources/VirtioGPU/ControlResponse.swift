import Scanout

/// The error response of a command (`VIRTIO_GPU_RESP_ERR_*`).
enum GPUError: UInt32, Error {
  /// VIRTIO_GPU_RESP_ERR_UNSPEC: malformed, unknown, or not possible now.
  case unspecified = 0x1200
  /// VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY: the VM's limit is exceeded, or the host is out of memory.
  case outOfMemory = 0x1201
  /// VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID.
  case invalidScanout = 0x1202
  /// VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID: 0, unknown, or in use already.
  case invalidResource = 0x1203
  /// VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID.
  case invalidContext = 0x1204
  /// VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER: a size, rectangle, format or flag.
  case invalidParameter = 0x1205
}

/// The answer to a command of the control queue.
public enum ControlResponse: Equatable, Sendable {
  /// At once, with this many bytes of `Device.response`.
  case respond(byteCount: Int)
  /// Also with this many bytes of `Device.response`, but to be sent only after `Device.onCompletion` with this token.
  case deferred(token: UInt64, byteCount: Int)
}

/// The buffer of one response.
@safe final class ResponseBuffer {
  /// The size of the longest response, `struct virtio_gpu_resp_edid`.
  static let capacity = 1056

  private let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)

  init() { unsafe storage.initializeMemory(as: UInt8.self, repeating: 0) }
  deinit { unsafe storage.deallocate() }

  /// The whole buffer; valid while this object lives.
  var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(storage) }

  /// VIRTIO_GPU_RESP_OK_NODATA.
  func encodeOK(for request: ControlHeader) -> Int { encodeHeader(0x1100, for: request) }

  /// VIRTIO_GPU_RESP_ERR_*.
  func encode(_ error: GPUError, for request: ControlHeader) -> Int { encodeHeader(error.rawValue, for: request) }

  /// VIRTIO_GPU_RESP_OK_DISPLAY_INFO: 16 heads of 24 bytes.
  func encodeDisplayInfo(_ modes: [Rect], for request: ControlHeader) -> Int {
    var offset = encodeHeader(0x1101, for: request)
    for index in 0..<DeviceConfiguration.maxScanoutCount {
      let rect = index < modes.count ? modes[index] : .empty
      for number in [rect.x, rect.y, rect.width, rect.height] {
        store(UInt32(truncatingIfNeeded: number), at: offset)
        offset += 4
      }
      // enabled, flags
      store(UInt32(rect.isEmpty ? 0 : 1), at: offset)
      store(UInt32(0), at: offset + 4)
      offset += 8
    }
    return offset
  }

  /// VIRTIO_GPU_RESP_OK_EDID: size, padding, and 1024 bytes that begin with `edid`.
  func encodeEDID(_ edid: [UInt8], for request: ControlHeader) -> Int {
    let start = encodeHeader(0x1104, for: request)
    let count = min(edid.count, EDID.maxByteCount)
    store(UInt32(count), at: start)
    store(UInt32(0), at: start + 4)
    for index in 0..<EDID.maxByteCount { store(index < count ? edid[index] : 0, at: start + 8 + index) }
    return start + 8 + EDID.maxByteCount
  }

  /// The header; a fence is echoed with its context and ring.
  private func encodeHeader(_ type: UInt32, for request: ControlHeader) -> Int {
    let fenced = request.isFenced
    let echoed = request.flags & (ControlHeader.fenceFlag | ControlHeader.ringIndexFlag)
    store(type, at: 0)
    store(fenced ? echoed : 0, at: 4)
    store(fenced ? request.fenceID : 0, at: 8)
    store(fenced ? request.contextID : 0, at: 16)
    store(fenced ? UInt32(request.ringIndex) : 0, at: 20)
    return ControlHeader.byteCount
  }

  private func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    // SAFETY: all callers' offsets are below `capacity` by construction; the buffer checks them in debug builds.
    unsafe storage.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
