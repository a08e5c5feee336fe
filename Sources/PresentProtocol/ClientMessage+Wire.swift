import CFramepathABI
import GraphicsMemory
import Scanout

extension ClientMessage {
  /// Encodes the message as the C struct that `framepath_protocol.h` declares.
  ///
  /// - Parameter buffer: at least `PresentLimits.messageByteCount` bytes, 8-byte aligned.
  /// - Returns: the message's size in bytes.
  public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    switch self {
    case .hello(let hello): unsafe store(framepath_hello(hello), into: buffer)
    case .createBuffer(let create, let request): unsafe store(framepath_create_buffer(create, request), into: buffer)
    case .importBuffer(let imported, let request):
      unsafe store(framepath_import_buffer(imported, request), into: buffer)
    case .destroyBuffer(let id):
      unsafe store(
        framepath_destroy_buffer(
          header: header(FRAMEPATH_DESTROY_BUFFER, framepath_destroy_buffer.self), buffer_id: id, reserved: 0),
        into: buffer)
    case .present(let present): unsafe store(framepath_present(present), into: buffer)
    case .disable(let scanout):
      unsafe store(
        framepath_disable(header: header(FRAMEPATH_DISABLE, framepath_disable.self), scanout: scanout, reserved: 0),
        into: buffer)
    case .cursor(let cursor): unsafe store(framepath_cursor(cursor), into: buffer)
    case .path(let scanout, let path, let reason):
      unsafe store(framepath_path(scanout: scanout, path: path, reason: reason), into: buffer)
    case .status(let request):
      unsafe store(
        framepath_status(header: header(FRAMEPATH_STATUS, framepath_status.self, request: request)), into: buffer)
    case .snapshot(let subject, let request): unsafe store(framepath_snapshot(subject, request), into: buffer)
    case .settings(let count, let request):
      unsafe store(
        framepath_settings(
          header: header(FRAMEPATH_SETTINGS, framepath_settings.self, request: request), count: UInt32(clamping: count),
          reserved: 0), into: buffer)
    case .trace(let request):
      unsafe store(
        framepath_trace(header: header(FRAMEPATH_TRACE, framepath_trace.self, request: request)), into: buffer)
    case .region(let region): unsafe store(framepath_region_message(region), into: buffer)
    case .lease(let output, let request): unsafe store(framepath_lease(output, request), into: buffer)
    case .syncPoints(let points, let request): unsafe store(framepath_sync_points(points, request), into: buffer)
    case .subscribe(let kinds, let request):
      unsafe store(
        framepath_subscribe(
          header: header(FRAMEPATH_SUBSCRIBE, framepath_subscribe.self, request: request), kinds: kinds.rawValue,
          reserved: 0), into: buffer)
    case .focus(let vm, let request): unsafe store(framepath_focus(vm, request), into: buffer)
    case .revoke(let output, let ofLease, let request):
      unsafe store(framepath_revoke(output, ofLease, request), into: buffer)
    }
  }

  /// Decodes one received message.
  ///
  /// - Throws: `.malformed` if it breaks the rules, `.otherVersion` for a HELLO of another version.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) -> ClientMessage {
    let head = try unsafe decodeHeader(bytes)
    switch framepath_type(rawValue: head.type) {
    case FRAMEPATH_HELLO: return .hello(try unsafe Hello(bytes))
    case FRAMEPATH_CREATE_BUFFER:
      return .createBuffer(
        try CreateBuffer(unsafe load(bytes, as: framepath_create_buffer.self)), request: head.request)
    case FRAMEPATH_IMPORT_BUFFER:
      return .importBuffer(
        try ImportBuffer(unsafe load(bytes, as: framepath_import_buffer.self)), request: head.request)
    case FRAMEPATH_DESTROY_BUFFER:
      return .destroyBuffer(try unsafe load(bytes, as: framepath_destroy_buffer.self).buffer_id)
    case FRAMEPATH_PRESENT: return .present(try Present(unsafe load(bytes, as: framepath_present.self)))
    case FRAMEPATH_DISABLE: return .disable(scanout: try unsafe load(bytes, as: framepath_disable.self).scanout)
    case FRAMEPATH_CURSOR: return .cursor(SetCursor(try unsafe load(bytes, as: framepath_cursor.self)))
    case FRAMEPATH_PATH:
      let wire = try unsafe load(bytes, as: framepath_path.self)
      guard let path = PresentPath(rawValue: wire.path) else { throw .malformed("PATH has path \(wire.path)") }
      return .path(scanout: wire.scanout, path, reason: try loadText(wire.reason, "PATH's reason"))
    case FRAMEPATH_STATUS:
      _ = try unsafe load(bytes, as: framepath_status.self)
      return .status(request: head.request)
    case FRAMEPATH_SNAPSHOT:
      return .snapshot(try SnapshotSubject(unsafe load(bytes, as: framepath_snapshot.self)), request: head.request)
    case FRAMEPATH_SETTINGS:
      let count = try unsafe load(bytes, as: framepath_settings.self).count
      guard (1...UInt32(FRAMEPATH_MAX_SETTINGS)).contains(count) else {
        throw .malformed("SETTINGS with \(count) records")
      }
      return .settings(count: Int(count), request: head.request)
    case FRAMEPATH_TRACE:
      _ = try unsafe load(bytes, as: framepath_trace.self)
      return .trace(request: head.request)
    case FRAMEPATH_REGION: return .region(try AttachRegion(unsafe load(bytes, as: framepath_region_message.self)))
    case FRAMEPATH_LEASE:
      let wire = try unsafe load(bytes, as: framepath_lease.self)
      return .lease(output: try loadText(wire.output, "LEASE's output"), request: head.request)
    case FRAMEPATH_SYNC_POINTS:
      return .syncPoints(try SyncPoints(unsafe load(bytes, as: framepath_sync_points.self)), request: head.request)
    case FRAMEPATH_SUBSCRIBE:
      let kinds = ChangeKinds(rawValue: try unsafe load(bytes, as: framepath_subscribe.self).kinds)
      guard kinds.isSubset(of: .all) else { throw .malformed("SUBSCRIBE has unknown kinds \(kinds.rawValue)") }
      return .subscribe(kinds, request: head.request)
    case FRAMEPATH_FOCUS:
      let wire = try unsafe load(bytes, as: framepath_focus.self)
      return .focus(vm: try loadText(wire.vm, "FOCUS's VM"), request: head.request)
    case FRAMEPATH_REVOKE:
      let wire = try unsafe load(bytes, as: framepath_revoke.self)
      guard wire.of_lease <= 1 else { throw .malformed("REVOKE has of_lease \(wire.of_lease)") }
      return .revoke(
        output: try loadText(wire.output, "REVOKE's output"), ofLease: wire.of_lease == 1, request: head.request)
    default: throw .malformed("message of unknown type \(head.type)")
    }
  }
}

/// Checks the header.
func decodeHeader(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) -> framepath_header {
  let size = MemoryLayout<framepath_header>.size
  guard bytes.count >= size else { throw .malformed("a message of \(bytes.count) bytes, shorter than its header") }
  let head = unsafe bytes.loadUnaligned(as: framepath_header.self)
  guard Int(head.size) == bytes.count else {
    throw .malformed("a message of \(bytes.count) bytes with the size \(head.size) in its header")
  }
  return head
}

extension framepath_hello {
  init(_ hello: Hello) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_HELLO, framepath_hello.self)
    magic = FRAMEPATH_PROTOCOL_MAGIC
    version = FRAMEPATH_PROTOCOL_VERSION
    client_kind = hello.kind.rawValue
    scanout_count = UInt32(clamping: hello.scanoutCount)
    storeText(hello.name, in: &name)
    unsafe withUnsafeMutableBytes(of: &outputs) { space in
      let length = Int(FRAMEPATH_OUTPUT_NAME_BYTES)
      for (index, output) in hello.outputs.prefix(PresentLimits.scanoutCount).enumerated() {
        for (place, byte) in output.utf8.prefix(length - 1).enumerated() {
          unsafe space[index * length + place] = byte
        }
      }
    }
  }
}

extension Hello {
  init(_ bytes: UnsafeRawBufferPointer) throws(PresentProtocolError) {
    guard bytes.count >= 24, unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self) == FRAMEPATH_PROTOCOL_MAGIC
    else { throw .malformed("HELLO without the protocol's magic number") }
    let version = unsafe bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)
    guard version == FRAMEPATH_PROTOCOL_VERSION else { throw .otherVersion(version) }
    var wire = try unsafe load(bytes, as: framepath_hello.self)
    guard let kind = ClientKind(rawValue: wire.client_kind) else {
      throw .malformed("HELLO has client kind \(wire.client_kind)")
    }
    guard wire.scanout_count <= UInt32(FRAMEPATH_MAX_SCANOUTS) else {
      throw .malformed("HELLO requests \(wire.scanout_count) scanouts, more than \(FRAMEPATH_MAX_SCANOUTS)")
    }
    let name = try loadText(wire.name, "HELLO's name")
    guard PresentLimits.isValidName(name) else {
      throw .malformed("invalid name \(name.debugDescription): use 1 to 63 bytes without / or control characters")
    }
    let texts = unsafe withUnsafeBytes(of: &wire.outputs) { unsafe Array($0) }
    let length = Int(FRAMEPATH_OUTPUT_NAME_BYTES)
    var outputs: [String] = []
    for index in 0..<Int(wire.scanout_count) {
      let field = texts[(index * length)..<((index + 1) * length)]
      guard let end = field.firstIndex(of: 0), let text = String(validating: field[..<end], as: UTF8.self) else {
        throw .malformed("HELLO's output \(index) is not 0-terminated UTF-8 text")
      }
      outputs.append(text)
    }
    self.init(kind: kind, name: name, scanoutCount: Int(wire.scanout_count), outputs: outputs)
  }
}

extension framepath_create_buffer {
  init(_ create: CreateBuffer, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_CREATE_BUFFER, framepath_create_buffer.self, request: request),
      buffer_id: create.bufferID, scanout: create.scanout, width: create.width, height: create.height,
      fourcc: create.format.fourcc, usage: create.usage.rawValue, generation: create.generation,
      flags: create.waits ? 0 : FRAMEPATH_BUFFER_AT_ONCE)
  }
}

extension CreateBuffer {
  init(_ wire: framepath_create_buffer) throws(PresentProtocolError) {
    guard let format = PixelFormat(fourcc: wire.fourcc) else {
      throw .malformed("CREATE_BUFFER of unknown format \(wire.fourcc)")
    }
    guard let usage = BufferUsage(rawValue: wire.usage) else {
      throw .malformed("CREATE_BUFFER of unknown usage \(wire.usage)")
    }
    guard wire.buffer_id != 0 else { throw .malformed("CREATE_BUFFER with buffer id 0") }
    self.init(
      bufferID: wire.buffer_id, scanout: wire.scanout, generation: wire.generation, width: wire.width,
      height: wire.height, format: format, usage: usage, waits: wire.flags & FRAMEPATH_BUFFER_AT_ONCE == 0)
  }
}

extension framepath_import_buffer {
  init(_ imported: ImportBuffer, _ request: UInt64) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_IMPORT_BUFFER, framepath_import_buffer.self, request: request),
      buffer_id: imported.bufferID, scanout: imported.scanout, width: UInt32(imported.layout.width),
      height: UInt32(imported.layout.height), fourcc: imported.layout.format.fourcc,
      stride: UInt32(imported.layout.strideBytes), offset: UInt64(imported.layout.offset), modifier: imported.modifier,
      memory_kind: imported.memoryKind.rawValue, range_count: UInt32(clamping: imported.rangeCount),
      generation: imported.generation, flags: imported.waits ? 0 : FRAMEPATH_BUFFER_AT_ONCE)
  }
}

extension ImportBuffer {
  init(_ wire: framepath_import_buffer) throws(PresentProtocolError) {
    guard let format = PixelFormat(fourcc: wire.fourcc) else {
      throw .malformed("IMPORT_BUFFER of unknown format \(wire.fourcc)")
    }
    guard wire.buffer_id != 0 else { throw .malformed("IMPORT_BUFFER with buffer id 0") }
    guard let kind = MemoryKind(rawValue: wire.memory_kind) else {
      throw .malformed("IMPORT_BUFFER of unknown memory kind \(wire.memory_kind)")
    }
    guard wire.offset <= UInt64(Int.max),
      let layout = FrameLayout(
        width: Int(wire.width), height: Int(wire.height), strideBytes: Int(wire.stride), offset: Int(wire.offset),
        format: format)
    else {
      throw .malformed("IMPORT_BUFFER of \(wire.width)x\(wire.height), stride \(wire.stride), offset \(wire.offset)")
    }
    let counts = kind == .memfd ? 1...UInt32(FRAMEPATH_MAX_RANGES) : 0...0
    guard counts.contains(wire.range_count) else { throw .malformed("IMPORT_BUFFER with \(wire.range_count) ranges") }
    self.init(
      bufferID: wire.buffer_id, scanout: wire.scanout, generation: wire.generation, layout: layout,
      modifier: wire.modifier, memoryKind: kind, rangeCount: Int(wire.range_count),
      waits: wire.flags & FRAMEPATH_BUFFER_AT_ONCE == 0)
  }
}

private let acquireFenceFlag = UInt16(FRAMEPATH_PRESENT_ACQUIRE_FENCE.rawValue)

extension framepath_present {
  init(_ present: Present) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_PRESENT, framepath_present.self)
    frame = present.frame
    scanout = present.scanout
    buffer_id = present.bufferID
    source = framepath_rect(present.source)
    path = UInt16(truncatingIfNeeded: present.path.rawValue)
    flags = present.hasAcquireFence ? acquireFenceFlag : 0
    copies = present.copies
    copied_bytes = present.copiedBytes
    ready_ns = present.readyNanoseconds
    generation = present.generation
    store(present.damage)
  }

  /// No rectangles mean everything, an empty one means that nothing has changed.
  private mutating func store(_ new: Damage) {
    guard case .region(let region) = new else { return }
    damage_count = UInt32(max(region.count, 1))
    unsafe withUnsafeMutableBytes(of: &damage) { space in
      let rects = unsafe space.bindMemory(to: framepath_rect.self)
      for index in 0..<min(region.count, rects.count) { unsafe rects[index] = framepath_rect(region[index]) }
    }
  }

  /// Parts outside the source are dropped; `damage_count` was checked.
  fileprivate func loadDamage() -> Damage {
    if damage_count == 0 { return .full }
    var rectangles = damage
    let (count, source) = (Int(damage_count), source.rect)
    return unsafe withUnsafeBytes(of: &rectangles) { space in
      let rects = unsafe space.bindMemory(to: framepath_rect.self)
      var region = DamageRegion()
      for index in 0..<count { region.add(unsafe rects[index].rect.intersection(source)) }
      return .region(region)
    }
  }
}

extension Present {
  init(_ wire: framepath_present) throws(PresentProtocolError) {
    guard let path = PresentPath(rawValue: UInt32(wire.path)) else { throw .malformed("PRESENT has path \(wire.path)") }
    guard wire.flags & ~acquireFenceFlag == 0 else { throw .malformed("PRESENT has unknown flags \(wire.flags)") }
    guard wire.damage_count <= UInt32(FRAMEPATH_MAX_DAMAGE) else {
      throw .malformed("PRESENT has \(wire.damage_count) damage rectangles")
    }
    guard wire.copied_bytes <= PresentLimits.copiedByteCount else {
      throw .malformed("PRESENT has \(wire.copied_bytes) copied bytes, more than \(PresentLimits.copiedByteCount)")
    }
    let source = wire.source.rect
    guard source.x >= 0, source.y >= 0, !source.isEmpty else {
      throw .malformed("PRESENT of (\(source.x), \(source.y)) \(source.width)x\(source.height)")
    }
    self.init(
      scanout: wire.scanout, generation: wire.generation, frame: wire.frame, bufferID: wire.buffer_id, source: source,
      damage: wire.loadDamage(), path: path, copies: wire.copies, copiedBytes: wire.copied_bytes,
      readyNanoseconds: wire.ready_ns,
      hasAcquireFence: wire.flags & acquireFenceFlag != 0)
  }
}

extension framepath_cursor {
  init(_ cursor: SetCursor) {
    self.init(
      header: PresentProtocol.header(FRAMEPATH_CURSOR, framepath_cursor.self), scanout: cursor.scanout,
      buffer_id: cursor.bufferID ?? 0, x: cursor.x, y: cursor.y, hot_x: cursor.hotX, hot_y: cursor.hotY,
      generation: cursor.generation, reserved: 0)
  }
}

extension SetCursor {
  init(_ wire: framepath_cursor) {
    self.init(
      scanout: wire.scanout, generation: wire.generation, bufferID: wire.buffer_id == 0 ? nil : wire.buffer_id,
      x: wire.x, y: wire.y, hotX: wire.hot_x, hotY: wire.hot_y)
  }
}

extension framepath_path {
  init(scanout: UInt32, path: PresentPath, reason text: String) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_PATH, framepath_path.self)
    self.scanout = scanout
    self.path = path.rawValue
    storeText(text, in: &reason)
  }
}

extension framepath_snapshot {
  init(_ subject: SnapshotSubject, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_SNAPSHOT, framepath_snapshot.self, request: request)
    switch subject {
    case .vm(let vm, let index):
      scanout = index
      storeText(vm, in: &name)
    case .output(let output):
      of_output = 1
      storeText(output, in: &name)
    }
  }
}

extension framepath_focus {
  init(_ name: String, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_FOCUS, framepath_focus.self, request: request)
    storeText(name, in: &vm)
  }
}

extension framepath_revoke {
  init(_ name: String, _ ofLease: Bool, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_REVOKE, framepath_revoke.self, request: request)
    of_lease = ofLease ? 1 : 0
    storeText(name, in: &output)
  }
}

extension framepath_lease {
  init(_ name: String, _ request: UInt64) {
    self.init()
    header = PresentProtocol.header(FRAMEPATH_LEASE, framepath_lease.self, request: request)
    storeText(name, in: &output)
  }
}

extension framepath_region_message {
  init(_ region: AttachRegion) {
    var flags: UInt32 = 0
    if region.sharesClock { flags |= FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue }
    if region.hasGuestDoorbell { flags |= FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue }
    self.init(
      header: PresentProtocol.header(FRAMEPATH_REGION, framepath_region_message.self), scanout: region.scanout,
      flags: flags, region_bytes: region.regionByteCount, slot_count: region.slotCount, reserved: 0)
  }
}

extension AttachRegion {
  init(_ wire: framepath_region_message) throws(PresentProtocolError) {
    let known = FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue | FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue
    guard wire.flags & ~known == 0 else { throw .malformed("REGION has unknown flags \(wire.flags)") }
    self.init(
      scanout: wire.scanout, regionByteCount: wire.region_bytes, slotCount: wire.slot_count,
      sharesClock: wire.flags & FRAMEPATH_REGION_MESSAGE_SHARED_CLOCK.rawValue != 0,
      hasGuestDoorbell: wire.flags & FRAMEPATH_REGION_MESSAGE_GUEST_DOORBELL.rawValue != 0)
  }
}

extension framepath_sync_points {
  init(_ points: SyncPoints, _ request: UInt64) {
    var flags: UInt32 = 0
    if points.acquirePoint != nil { flags |= FRAMEPATH_SYNC_ACQUIRE.rawValue }
    if points.releasePoint != nil { flags |= FRAMEPATH_SYNC_RELEASE.rawValue }
    self.init(
      header: PresentProtocol.header(FRAMEPATH_SYNC_POINTS, framepath_sync_points.self, request: request),
      scanout: points.scanout, flags: flags, acquire_point: points.acquirePoint ?? 0,
      release_point: points.releasePoint ?? 0)
  }
}

extension SyncPoints {
  init(_ wire: framepath_sync_points) throws(PresentProtocolError) {
    let known = FRAMEPATH_SYNC_ACQUIRE.rawValue | FRAMEPATH_SYNC_RELEASE.rawValue
    guard wire.flags & ~known == 0 else { throw .malformed("SYNC_POINTS has unknown flags \(wire.flags)") }
    self.init(
      scanout: wire.scanout, acquirePoint: wire.flags & FRAMEPATH_SYNC_ACQUIRE.rawValue != 0 ? wire.acquire_point : nil,
      releasePoint: wire.flags & FRAMEPATH_SYNC_RELEASE.rawValue != 0 ? wire.release_point : nil)
  }
}

extension SnapshotSubject {
  init(_ wire: framepath_snapshot) throws(PresentProtocolError) {
    let name = try loadText(wire.name, "SNAPSHOT's name")
    self = wire.of_output == 0 ? .vm(name: name, scanout: wire.scanout) : .output(name: name)
  }
}
