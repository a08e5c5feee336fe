import LinuxIO
import VhostUser

/// QEMU's end of vhost-user-gpu's GPU socket (docs/interop/vhost-user-gpu.rst): answers a backend's requests, and takes
/// its pictures.
///
/// Like QEMU it reads whole pictures into memory, but then drops them; QEMU copies them again.
@safe public final class GPUScreen {
  /// The monitor that the backend is shown.
  public struct Monitor: Sendable {
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// The EDID, 1024 bytes at most.
    public var edid: [UInt8]

    /// A monitor of that size.
    public init(width: Int, height: Int, edid: [UInt8]) {
      self.width = width
      self.height = height
      self.edid = edid
    }
  }

  /// Counters of received messages.
  public struct Counters: Equatable, Sendable {
    /// VHOST_USER_GPU_UPDATE: a rectangle of pixels.
    public var updates = 0
    /// Bytes of their pixels.
    public var updateBytes: UInt64 = 0
    /// VHOST_USER_GPU_DMABUF_UPDATE: a rectangle of a dma-buf has changed.
    public var bufferUpdates = 0
    /// VHOST_USER_GPU_SCANOUT and DMABUF_SCANOUT with a picture.
    public var scanouts = 0
  }

  private enum Message: UInt32 {
    case getProtocolFeatures = 1
    case setProtocolFeatures
    case getDisplayInfo
    case cursorPosition
    case cursorHide
    case cursorUpdate
    case scanout
    case update
    case bufferScanout
    case bufferUpdate
    case getEDID
    case bufferScanout2
  }

  private static let headerBytes = 12
  /// QEMU has no limit; a picture of 16384 × 16384 is more than any test uses.
  private static let maxPayloadBytes = 1 << 30
  private static let replyFlag: UInt32 = 4

  /// The counters so far.
  public private(set) var counters = Counters()
  /// The descriptor to wait for.
  public var descriptor: Int32 { socket.fd.raw }
  private let socket: UnixSocket
  private let monitor: Monitor
  private var header = [UInt8](repeating: 0, count: headerBytes)
  private var filled = 0
  private var payload: UnsafeMutableRawBufferPointer

  init(_ socket: consuming UnixSocket, _ monitor: Monitor) {
    self.socket = socket
    self.monitor = monitor
    unsafe payload = .allocate(byteCount: 1 << 16, alignment: 64)
  }

  deinit { unsafe payload.deallocate() }

  /// Receives and answers available messages.
  func serve(timeoutMilliseconds: Int32) throws(FrontendError) {
    while true {
      // Between messages the socket may be empty; the rest of a started message is waited for, as in QEMU.
      let isBetween = filled == 0
      let need: Int
      if filled < GPUScreen.headerBytes {
        need = GPUScreen.headerBytes - filled
      } else {
        let size = Int(word(8))
        guard size <= GPUScreen.maxPayloadBytes else { throw bad() }
        if unsafe payload.count < size {
          unsafe payload.deallocate()
          unsafe payload = .allocate(byteCount: size, alignment: 64)
        }
        need = GPUScreen.headerBytes + size - filled
      }
      if need > 0 {
        guard let count = try read(need, waits: !isBetween, timeoutMilliseconds) else { return }
        filled += count
      }
      guard filled >= GPUScreen.headerBytes, filled == GPUScreen.headerBytes + Int(word(8)) else { continue }
      filled = 0
      try handle(Int(word(8)))
    }
  }

  private func handle(_ byteCount: Int) throws(FrontendError) {
    guard let message = Message(rawValue: word(0)) else { throw bad() }
    switch message {
    case .getProtocolFeatures: try reply([3, 0])
    case .getDisplayInfo:
      // VIRTIO_GPU_RESP_OK_DISPLAY_INFO with one monitor.
      var words = [UInt32](repeating: 0, count: 102)
      words[0] = 0x1101
      words[8] = UInt32(monitor.width)
      words[9] = UInt32(monitor.height)
      words[10] = 1
      try reply(words)
    case .getEDID:
      var words = [UInt32](repeating: 0, count: 8 + 256)
      words[0] = 0x1104
      words[6] = UInt32(monitor.edid.count)
      for (index, byte) in monitor.edid.prefix(1024).enumerated() {
        words[8 + index / 4] |= UInt32(byte) << UInt32(index % 4 * 8)
      }
      try reply(words)
    case .scanout, .bufferScanout, .bufferScanout2: counters.scanouts += 1
    case .update:
      counters.updates += 1
      counters.updateBytes += UInt64(max(byteCount - 20, 0))
    case .bufferUpdate:
      counters.bufferUpdates += 1
      try reply([])
    case .setProtocolFeatures, .cursorPosition, .cursorHide, .cursorUpdate: break
    }
  }

  // MARK: Bytes

  /// A 32-bit word of the header.
  private func word(_ offset: Int) -> UInt32 {
    header[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private func bad() -> FrontendError {
    .badReply(request: word(0), flags: word(4), byteCount: Int(word(8)))
  }

  private func reply(_ words: [UInt32]) throws(FrontendError) {
    var bytes: [UInt8] = []
    for value in [word(0), GPUScreen.replyFlag, UInt32(4 * words.count)] + words { bytes.append(littleEndian: value) }
    do throws(SystemError) {
      try sendAll(socket, bytes, fds: [])
    } catch {
      throw error.isDisconnection ? .closed : .system(error)
    }
  }

  /// Receives into the header or the payload; nil if the socket is empty between messages.
  private func read(_ count: Int, waits: Bool, _ timeoutMilliseconds: Int32) throws(FrontendError) -> Int? {
    while true {
      let result: ReceiveResult
      do throws(SystemError) {
        result = try receive(count)
      } catch {
        throw .system(error)
      }
      switch result {
      case .bytes(let received): return received
      case .closed: throw .closed
      case .truncated: throw bad()
      case .wouldBlock:
        guard waits else { return nil }
        guard isReadable(socket.fd.raw, timeoutMilliseconds) else {
          throw .timedOut("GPU socket: \(filled) of \(GPUScreen.headerBytes + Int(word(8))) bytes")
        }
      }
    }
  }

  private func receive(_ count: Int) throws(SystemError) -> ReceiveResult {
    // The descriptor of a dma-buf is closed: it is not used here.
    var fds = ReceivedFDs()
    guard filled < GPUScreen.headerBytes else {
      let start = filled - GPUScreen.headerBytes
      // SAFETY: the payload has at least the bytes that the header announces.
      return try unsafe socket.receive(
        into: UnsafeMutableRawBufferPointer(rebasing: payload[start..<(start + count)]), fds: &fds, wait: false)
    }
    let start = filled
    var bytes = header
    let result: Result<ReceiveResult, SystemError> = unsafe bytes.withUnsafeMutableBytes { buffer in
      do throws(SystemError) {
        return .success(
          try unsafe receiveInto(UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + count)]), &fds))
      } catch {
        return .failure(error)
      }
    }
    header = bytes
    return try result.get()
  }

  private func receiveInto(
    _ buffer: UnsafeMutableRawBufferPointer, _ fds: inout ReceivedFDs
  ) throws(SystemError) -> ReceiveResult {
    try unsafe socket.receive(into: buffer, fds: &fds, wait: false)
  }
}
