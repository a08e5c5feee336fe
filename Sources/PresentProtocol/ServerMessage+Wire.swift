import CFramepathABI
import GraphicsMemory
import Scanout

extension ServerMessage {
  /// Encodes the message as the C struct that `framepath_protocol.h` declares.
  ///
  /// - Parameter buffer: at least `PresentLimits.messageByteCount` bytes, 8-byte aligned.
  /// - Returns: the message's size in bytes.
  public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    switch self {
    case .welcome(let welcome):
      unsafe store(
        framepath_welcome(
          header: header(FRAMEPATH_WELCOME, framepath_welcome.self), version: FRAMEPATH_PROTOCOL_VERSION,
          scanout_count: UInt32(clamping: welcome.scanoutCount), memory_limit: welcome.memoryLimitBytes), into: buffer)
    case .output(let output): unsafe store(framepath_output(output), into: buffer)
    case .buffer(let reply, let request): unsafe store(framepath_buffer(reply, request), into: buffer)
    case .frameDone(let done):
      unsafe store(
        framepath_frame_done(
          header: header(FRAMEPATH_FRAME_DONE, framepath_frame_done.self), frame: done.frame, scanout: done.scanout,
          outcome: done.outcome.rawValue, time_ns: done.timeNanoseconds, sequence: done.sequence), into: buffer)
    case .released(let released):
      unsafe store(
        framepath_released(
          header: header(FRAMEPATH_RELEASED, framepath_released.self), buffer_id: released.bufferID,
          scanout: released.scanout, frame: released.frame), into: buffer)
    case .statusReply(let byteCount, let request):
      unsafe store(
        framepath_status_reply(
          header: header(FRAMEPATH_STATUS_REPLY, framepath_status_reply.self, request: request), size: byteCount),
        into: buffer)
    case .snapshotReply(let reply, let request): unsafe store(framepath_snapshot_reply(reply, request), into: buffer)
    case .error(let message, let request): unsafe store(framepath_error(message, request), into: buffer)
    case .done(let request):
      unsafe store(
        framepath_done(header: header(FRAMEPATH_DONE, framepath_done.self, request: request)), into: buffer)
    case .regionNews(let scanout):
      unsafe store(
        framepath_region_news(
          header: header(FRAMEPATH_REGION_NEWS, framepath_region_news.self), scanout: scanout, reserved: 0),
        into: buffer)
    case .leased(let leased, let request):
      unsafe store(
        framepath_leased(
          header: header(FRAMEPATH_LEASED, framepath_leased.self, request: request), lessee_id: leased.lesseeID,
          connector_id: leased.connectorID, crtc_id: leased.crtcID, plane_id: leased.planeID), into: buffer)
    case .leaseEnded(let why, let request): unsafe store(framepath_lease_ended(why, request), into: buffer)
    case .changed(let kinds, let request):
      unsafe store(
        framepath_changed(
          header: header(FRAMEPATH_CHANGED, framepath_changed.self, request: request), kinds: kinds.rawValue,
          reserved: 0), into: buffer)
    case .deviceSettings(let settings): unsafe store(framepath_device_settings(settings), into: buffer)
    }
  }

  /// Decodes one received message.
  ///
  /// - Throws: `.malformed` if it breaks the rules.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) -> ServerMessage {
    let head = try unsafe decodeHeader(bytes)
    switch framepath_type(rawValue: head.type) {
    case FRAMEPATH_WELCOME:
      let wire = try unsafe load(bytes, as: framepath_welcome.self)
      guard wire.version == FRAMEPATH_PROTOCOL_VERSION else { throw .otherVersion(wire.version) }
      guard wire.scanout_count <= UInt32(FRAMEPATH_MAX_SCANOUTS) else {
        throw .malformed("WELCOME grants \(wire.scanout_count) scanouts")
      }
      return .welcome(Welcome(scanoutCount: Int(wire.scanout_count), memoryLimitBytes: wire.memory_limit))
    case FRAMEPATH_OUTPUT: return .output(try OutputDescription(unsafe load(bytes, as: framepath_output.self)))
    case FRAMEPATH_BUFFER:
      return .buffer(try BufferReply(unsafe load(bytes, as: framepath_buffer.self)), request: head.request)
    case FRAMEPATH_FRAME_DONE:
      let wire = try unsafe load(bytes, as: framepath_frame_done.self)
      guard let outcome = PresentOutcome(rawValue: wire.outcome) else {
        throw .malformed("FRAME_DONE with outcome \(wire.outcome)")
      }
      return .frameDone(
        FrameDone(
          scanout: wire.scanout, frame: wire.frame, outcome: outcome, timeNanoseconds: wire.time_ns,
          sequence: wire.sequence))
    case FRAMEPATH_RELEASED:
      let wire = try unsafe load(bytes, as: framepath_released.self)
      return .released(Released(bufferID: wire.buffer_id, scanout: wire.scanout, frame: wire.frame))
    case FRAMEPATH_STATUS_REPLY:
      let wire = try unsafe load(bytes, as: framepath_status_reply.self)
      return .statusReply(byteCount: wire.size, request: head.request)
    case FRAMEPATH_SNAPSHOT_REPLY:
      return .snapshotReply(
        try SnapshotReply(unsafe load(bytes, as: framepath_snapshot_reply.self)), request: head.request)
    case FRAMEPATH_ERROR:
      let wire = try unsafe load(bytes, as: framepath_error.self)
      guard let code = PresentErrorCode(rawValue: wire.code) else { throw .malformed("ERROR with code \(wire.code)") }
      let text = try loadText(wire.text, "ERROR's text")
      return .error(ErrorMessage(code: code, scanout: wire.scanout, text: text), request: head.request)
    case FRAMEPATH_DONE:
      _ = try unsafe load(bytes, as: framepath_done.self)
      return .done(request: head.request)
    case FRAMEPATH_REGION_NEWS:
      return .regionNews(scanout: try unsafe load(bytes, as: framepath_region_news.self).scanout)
    case FRAMEPATH_LEASED:
      let wire = try unsafe load(bytes, as: framepath_leased.self)
      return .leased(
        Leased(
          lesseeID: wire.lessee_id, connectorID: wire.connector_id, crtcID: wire.crtc_id, planeID: wire.plane_id),
        request: head.request)
    case FRAMEPATH_LEASE_ENDED:
      let wire = try unsafe load(bytes, as: framepath_lease_ended.self)
      return .leaseEnded(why: try loadText(wire.text, "LEASE_ENDED's text"), request: head.request)
    case FRAMEPATH_CHANGED:
      let wire = try unsafe load(bytes, as: framepath_changed.self)
      return .changed(ChangeKinds(rawValue: wire.kinds), request: head.request)
    case FRAMEPATH_DEVICE_SETTINGS:
      let wire = try unsafe load(bytes, as: framepath_device_settings.self)
      return .deviceSettings(DeviceSettings(wire.max_memory, wire.blank_stopped))
    default: throw .malformed("message of unknown type \(head.type)")
    }
  }
}

extension framepath_lease_ended {
  init(_ why: String, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_LEASE_ENDED, framepath_lease_ended.self, request: request)
    storeText(why, in: &text)
  }
}

extension framepath_output {
  init(_ output: OutputDescription) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_OUTPUT, framepath_output.self)
    scanout = output.scanout
    connected = output.connected ? 1 : 0
    width = UInt32(clamping: output.mode.width)
    height = UInt32(clamping: output.mode.height)
    refresh_mhz = UInt32(clamping: output.mode.refreshMillihertz)
    width_mm = UInt32(clamping: output.widthMillimetres)
    height_mm = UInt32(clamping: output.heightMillimetres)
    cursor_size = UInt32(clamping: output.cursorSize)
    memory_kind = output.memoryKind.rawValue
    generation = output.generation
    parked = output.parked ? 1 : 0
    storeText(output.name, in: &name)
    // An EDID that does not fit is omitted; a truncated one would have a wrong checksum.
    if output.edid.count <= Int(FRAMEPATH_MAX_EDID_BYTES) {
      edid_size = UInt32(output.edid.count)
      unsafe withUnsafeMutableBytes(of: &edid) { space in unsafe space.copyBytes(from: output.edid) }
    }
  }
}

extension OutputDescription {
  init(_ received: framepath_output) throws(PresentProtocolError) {
    var wire = received
    guard let kind = MemoryKind(rawValue: wire.memory_kind) else {
      throw .malformed("OUTPUT of unknown memory kind \(wire.memory_kind)")
    }
    guard wire.edid_size <= UInt32(FRAMEPATH_MAX_EDID_BYTES) else {
      throw .malformed("OUTPUT with an EDID of \(wire.edid_size) bytes")
    }
    let edid = unsafe withUnsafeBytes(of: &wire.edid) { unsafe Array($0.prefix(Int(wire.edid_size))) }
    self.init(
      scanout: wire.scanout, generation: wire.generation, connected: wire.connected != 0, parked: wire.parked != 0,
      mode: DisplayMode(width: Int(wire.width), height: Int(wire.height), refreshMillihertz: Int(wire.refresh_mhz)),
      widthMillimetres: Int(wire.width_mm), heightMillimetres: Int(wire.height_mm), cursorSize: Int(wire.cursor_size),
      memoryKind: kind, name: try loadText(wire.name, "OUTPUT's name"), edid: edid)
  }
}

extension framepath_buffer {
  init(_ reply: BufferReply, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_BUFFER, framepath_buffer.self, request: request),
      buffer_id: reply.bufferID, memory_kind: reply.memoryKind.rawValue, stride: reply.strideBytes, width: reply.width,
      height: reply.height, reserved: 0, size: reply.byteCount)
  }
}

extension BufferReply {
  init(_ wire: framepath_buffer) throws(PresentProtocolError) {
    guard let kind = MemoryKind(rawValue: wire.memory_kind) else {
      throw .malformed("BUFFER of unknown memory kind \(wire.memory_kind)")
    }
    self.init(
      bufferID: wire.buffer_id, memoryKind: kind, width: wire.width, height: wire.height, strideBytes: wire.stride,
      byteCount: wire.size)
  }
}

extension framepath_snapshot_reply {
  init(_ reply: SnapshotReply, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_SNAPSHOT_REPLY, framepath_snapshot_reply.self, request: request),
      width: UInt32(reply.layout.width), height: UInt32(reply.layout.height),
      stride: UInt32(reply.layout.strideBytes), fourcc: reply.layout.format.fourcc,
      from_writeback: reply.fromWriteback ? 1 : 0, memory_kind: reply.memoryKind.rawValue, size: reply.byteCount)
  }
}

extension SnapshotReply {
  init(_ wire: framepath_snapshot_reply) throws(PresentProtocolError) {
    guard let format = PixelFormat(fourcc: wire.fourcc), let kind = MemoryKind(rawValue: wire.memory_kind),
      let layout = FrameLayout(
        width: Int(wire.width), height: Int(wire.height), strideBytes: Int(wire.stride), format: format),
      wire.size >= UInt64(layout.byteCount), wire.size <= 1 << 40
    else { throw .malformed("SNAPSHOT_REPLY of \(wire.width)x\(wire.height), stride \(wire.stride)") }
    self.init(layout: layout, fromWriteback: wire.from_writeback != 0, memoryKind: kind, byteCount: wire.size)
  }
}

extension framepath_error {
  init(_ message: ErrorMessage, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_ERROR, framepath_error.self, request: request)
    code = message.code.rawValue
    scanout = message.scanout
    storeText(message.text, in: &text)
  }
}
