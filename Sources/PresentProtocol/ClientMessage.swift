import CFramepathABI

/// A message from a client to the daemon.
public enum ClientMessage: Sendable {
  /// HELLO (1).
  case hello(Hello)
  /// CREATE_BUFFER (2); the answer repeats `request`.
  case createBuffer(CreateBuffer, request: UInt64)
  /// IMPORT_BUFFER (3); the answer repeats `request`.
  case importBuffer(ImportBuffer, request: UInt64)
  /// DESTROY_BUFFER (4).
  case destroyBuffer(UInt32)
  /// PRESENT (5).
  case present(Present)
  /// DISABLE (6) of a scanout.
  case disable(scanout: UInt32)
  /// CURSOR (7).
  case cursor(SetCursor)
  /// PATH (8): a scanout's path, and why a better one is unavailable; up to 255 bytes of text.
  case path(scanout: UInt32, PresentPath, reason: String)
  /// STATUS (9); the answer repeats `request`.
  case status(request: UInt64)
  /// SNAPSHOT (10); the answer repeats `request`.
  case snapshot(SnapshotSubject, request: UInt64)
  /// SETTINGS (11): the number of records in the message's memfd (`SettingRecords`); the answer repeats `request`.
  case settings(count: Int, request: UInt64)
  /// TRACE (12): the times of the last frames; the answer repeats `request`.
  case trace(request: UInt64)
  /// REGION (13).
  case region(AttachRegion)
  /// LEASE (14) of the named output; the answer repeats `request`.
  case lease(output: String, request: UInt64)
  /// SYNC_POINTS (15); a refusal repeats `request`.
  case syncPoints(SyncPoints, request: UInt64)
  /// SUBSCRIBE (16) to changes of these kinds, replacing the former ones; each CHANGED repeats `request`.
  case subscribe(ChangeKinds, request: UInt64)
  /// FOCUS (17) on the VM of this name; the answer repeats `request`.
  case focus(vm: String, request: UInt64)
  /// REVOKE (18) of the output of this name, only from a lessee if `ofLease` is set; the answer repeats `request`.
  case revoke(output: String, ofLease: Bool, request: UInt64)
  /// DEVICE (19): what is in force in the VM's device.
  case device(DeviceSettings)
}

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
    case .device(let settings): unsafe store(framepath_device(settings), into: buffer)
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
    case FRAMEPATH_DEVICE:
      let wire = try unsafe load(bytes, as: framepath_device.self)
      return .device(DeviceSettings(wire.max_memory, wire.blank_stopped))
    default: throw .malformed("message of unknown type \(head.type)")
    }
  }
}
