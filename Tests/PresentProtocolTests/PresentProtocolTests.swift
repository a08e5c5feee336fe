import GraphicsMemory
import LinuxIO
import PresentProtocol
import Scanout
import Testing

/// Little-endian bytes of 32-bit words, 0-padded to `byteCount`.
func words(_ words: [UInt32], byteCount: Int? = nil) -> [UInt8] {
  var bytes: [UInt8] = []
  for word in words { for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) } }
  return bytes + Array(repeating: 0, count: max(0, (byteCount ?? 0) - bytes.count))
}

/// UTF-8 bytes, 0-padded to `byteCount`.
func text(_ text: String, _ byteCount: Int) -> [UInt8] {
  Array(text.utf8) + Array(repeating: 0, count: byteCount - text.utf8.count)
}

func encoded(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: PresentLimits.messageByteCount, alignment: 16)
  defer { buffer.deallocate() }
  return Array(buffer[..<body(buffer)])
}

func decodeClient(_ bytes: [UInt8]) throws -> ClientMessage {
  var result: Result<ClientMessage, PresentProtocolError> = .failure(.closed)
  bytes.withUnsafeBytes { raw in
    do throws(PresentProtocolError) {
      result = .success(try ClientMessage.decode(raw))
    } catch {
      result = .failure(error)
    }
  }
  return try result.get()
}

func decodeServer(_ bytes: [UInt8]) throws -> ServerMessage {
  var result: Result<ServerMessage, PresentProtocolError> = .failure(.closed)
  bytes.withUnsafeBytes { raw in
    do throws(PresentProtocolError) {
      result = .success(try ServerMessage.decode(raw))
    } catch {
      result = .failure(error)
    }
  }
  return try result.get()
}

/// Checks that a message encodes to the bytes, and that they decode to a message with the same bytes.
func expectBothWays(
  _ message: ClientMessage, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) throws {
  #expect(encoded { message.encode(into: $0) } == bytes, sourceLocation: sourceLocation)
  let decoded = try decodeClient(bytes)
  #expect(encoded { decoded.encode(into: $0) } == bytes, sourceLocation: sourceLocation)
}

func expectBothWays(
  _ message: ServerMessage, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) throws {
  #expect(encoded { message.encode(into: $0) } == bytes, sourceLocation: sourceLocation)
  #expect(try decodeServer(bytes) == message, sourceLocation: sourceLocation)
}

let xr24: UInt32 = 0x3432_5258

@Suite("Client messages, literally")
struct ClientMessageTests {
  @Test func `HELLO (1)`() throws {
    // type, size, request (2), magic, version, client_kind, scanout_count, name[64], outputs[16][32]
    let bytes =
      words([1, 608, 0, 0, 0x4854_5046, 3, 1, 2]) + text("web", 64) + text("HDMI-A-1", 32)
      + Array(repeating: 0, count: 480)
    try expectBothWays(.hello(Hello(kind: .vm, name: "web", scanoutCount: 2, outputs: ["HDMI-A-1", ""])), bytes)
  }

  @Test func `CREATE_BUFFER (2)`() throws {
    let create = CreateBuffer(
      bufferID: 7, scanout: 1, generation: 3, width: 640, height: 480, format: .xrgb8888, usage: .cursor)
    // type, size, request (2), buffer_id, scanout, width, height, fourcc, usage, generation, reserved
    try expectBothWays(
      .createBuffer(create, request: 9), words([2, 48, 9, 0, 7, 1, 640, 480, xr24, 1, 3, 0]))
  }

  @Test func `IMPORT_BUFFER (3)`() throws {
    let layout = try #require(FrameLayout(width: 2, height: 2, strideBytes: 8, offset: 4096, format: .xrgb8888))
    let imported = ImportBuffer(
      bufferID: 7, scanout: 1, generation: 3, layout: layout, modifier: 0x5_0000_0006, memoryKind: .memfd,
      rangeCount: 12)
    // … fourcc, stride, offset (2), modifier (2), memory_kind, range_count, generation, reserved
    try expectBothWays(
      .importBuffer(imported, request: 9),
      words([3, 72, 9, 0, 7, 1, 2, 2, xr24, 8, 4096, 0, 6, 5, 1, 12, 3, 0]))
  }

  @Test func `DESTROY_BUFFER (4), DISABLE (6), STATUS (9)`() throws {
    try expectBothWays(.destroyBuffer(5), words([4, 24, 0, 0, 5, 0]))
    try expectBothWays(.disable(scanout: 2), words([6, 24, 0, 0, 2, 0]))
    try expectBothWays(.trace(request: 0x1_0000_0002), words([12, 16, 2, 1]))
    try expectBothWays(.status(request: 0x1_0000_0002), words([9, 16, 2, 1]))
  }

  @Test func `PRESENT (5)`() throws {
    var damage = DamageRegion(Rect(x: 1, y: 2, width: 3, height: 4))
    damage.add(Rect(x: 10, y: 10, width: 5, height: 5))
    let present = Present(
      scanout: 1, generation: 3, frame: 0x2_0000_0001, bufferID: 7, source: Rect(x: 0, y: 0, width: 640, height: 480),
      damage: .region(damage), path: .copy, copies: 1, copiedBytes: 0x100, readyNanoseconds: 0x1_0000_0000)
    // header, frame (2), scanout, buffer_id, source (4), path, copies, copied_bytes (2), ready_ns (2),
    // damage_count, generation, damage[16]
    try expectBothWays(
      .present(present),
      words(
        [5, 336, 0, 0, 1, 2, 1, 7, 0, 0, 640, 480, 2, 1, 0x100, 0, 0, 1, 2, 3, 1, 2, 3, 4, 10, 10, 5, 5],
        byteCount: 336))
  }

  @Test func `PRESENT (5) with an acquire fence: a bit in the upper half of path's word`() throws {
    let present = Present(
      scanout: 0, generation: 1, frame: 1, bufferID: 7, source: Rect(width: 64, height: 48), path: .direct,
      hasAcquireFence: true)
    let bytes = words(
      [5, 336, 0, 0, 1, 0, 0, 7, 0, 0, 64, 48, 1 | 1 << 16, 0, 0, 0, 0, 0, 0, 1], byteCount: 336)
    try expectBothWays(.present(present), bytes)
    var unknown = bytes
    unknown[50] = 2
    #expect(throws: PresentProtocolError.malformed("PRESENT has unknown flags 2")) { try decodeClient(unknown) }
  }

  @Test func `SYNC_POINTS (15)`() throws {
    // header (4), scanout, flags, acquire_point (2), release_point (2)
    try expectBothWays(
      .syncPoints(SyncPoints(scanout: 1, acquirePoint: 5, releasePoint: 1 << 32), request: 9),
      words([15, 40, 9, 0, 1, 3, 5, 0, 0, 1]))
    try expectBothWays(
      .syncPoints(SyncPoints(scanout: 1, acquirePoint: nil, releasePoint: 7), request: 9),
      words([15, 40, 9, 0, 1, 2, 0, 0, 7, 0]))
    #expect(throws: PresentProtocolError.malformed("SYNC_POINTS has unknown flags 4")) {
      try decodeClient(words([15, 40, 9, 0, 1, 4, 0, 0, 0, 0]))
    }
  }

  @Test func `SUBSCRIBE (16)`() throws {
    // header (4), kinds, reserved
    try expectBothWays(.subscribe([.outputs, .settings], request: 9), words([16, 24, 9, 0, 9, 0]))
    try expectBothWays(.subscribe([], request: 1 << 32), words([16, 24, 0, 1, 0, 0]))
    #expect(throws: PresentProtocolError.malformed("SUBSCRIBE has unknown kinds 16")) {
      try decodeClient(words([16, 24, 9, 0, 16, 0]))
    }
  }

  @Test func `REGION (13)`() throws {
    let region = AttachRegion(
      scanout: 2, regionByteCount: 0x1_0000_0000, slotCount: 3, sharesClock: true, hasGuestDoorbell: false)
    // header, scanout, flags, region_bytes (2), slot_count, reserved
    try expectBothWays(.region(region), words([13, 40, 0, 0, 2, 1, 0, 1, 3, 0]))
    #expect(throws: PresentProtocolError.malformed("REGION has unknown flags 4")) {
      try decodeClient(words([13, 40, 0, 0, 2, 4, 0, 1, 3, 0]))
    }
  }

  @Test func `CURSOR (7), hidden and with negative place`() throws {
    let cursor = SetCursor(scanout: 1, generation: 3, bufferID: 8, x: -1, y: 2, hotX: 4, hotY: 5)
    // header, scanout, buffer_id, x, y, hot_x, hot_y, generation, reserved
    try expectBothWays(.cursor(cursor), words([7, 48, 0, 0, 1, 8, 0xffff_ffff, 2, 4, 5, 3, 0]))
    let hidden = SetCursor(scanout: 0, generation: 1, bufferID: nil, x: 0, y: 0)
    try expectBothWays(.cursor(hidden), words([7, 48, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]))
  }

  @Test func `PATH (8) cuts a long reason at a character`() throws {
    try expectBothWays(
      .path(scanout: 1, .direct, reason: "é"), words([8, 280, 0, 0, 1, 1]) + text("é", 256))
    let long = encoded {
      ClientMessage.path(scanout: 1, .copy, reason: String(repeating: "é", count: 200)).encode(into: $0)
    }
    guard case .path(_, _, let reason) = try decodeClient(long) else {
      Issue.record("no PATH")
      return
    }
    #expect(reason == String(repeating: "é", count: 127))
  }

  @Test func `SNAPSHOT (10)`() throws {
    try expectBothWays(
      .snapshot(.vm(name: "web", scanout: 1), request: 4), words([10, 88, 4, 0, 0, 1]) + text("web", 64))
    try expectBothWays(
      .snapshot(.output(name: "DP-1"), request: 4), words([10, 88, 4, 0, 1, 0]) + text("DP-1", 64))
  }
}

@Suite("Commands, literally")
struct CommandMessageTests {
  @Test func `SETTINGS (11) and DONE (137)`() throws {
    // header (4), count, reserved
    try expectBothWays(.settings(count: 3, request: 6), words([11, 24, 6, 0, 3, 0]))
    try expectBothWays(.done(request: 6), words([137, 16, 6, 0]))
    for count: UInt32 in [0, 4097] {
      #expect(throws: PresentProtocolError.malformed("SETTINGS with \(count) records")) {
        try decodeClient(words([11, 24, 6, 0, count, 0]))
      }
    }
  }

  @Test func `FOCUS (17) and REVOKE (18)`() throws {
    try expectBothWays(.focus(vm: "web", request: 6), words([17, 80, 6, 0]) + text("web", 64))
    // header (4), of_lease, reserved, output[32]
    try expectBothWays(
      .revoke(output: "DP-1", ofLease: false, request: 6), words([18, 56, 6, 0, 0, 0]) + text("DP-1", 32))
    try expectBothWays(
      .revoke(output: "DP-1", ofLease: true, request: 6), words([18, 56, 6, 0, 1, 0]) + text("DP-1", 32))
    #expect(throws: PresentProtocolError.malformed("REVOKE has of_lease 2")) {
      try decodeClient(words([18, 56, 6, 0, 2, 0]) + text("DP-1", 32))
    }
  }

  // setting, form, more, line, number (2), rect (4), target[64], text[128]
  @Test(arguments: [
    (SettingRecord(4, of: "", .none), [4, 0, 0, 0], "", ""),
    (SettingRecord(3, of: "DP-1", .number(-2), line: 7), [3, 1, 0, 7, 0xffff_fffe, 0xffff_ffff], "DP-1", ""),
    (SettingRecord(201, of: "web", .number(1 << 32)), [201, 1, 0, 0, 0, 1], "web", ""),
    (SettingRecord(2, of: "", .choice(5)), [2, 2, 0, 0, 5], "", ""),
    (SettingRecord(206, of: "web", .name("HDMI-A-1"), hasMore: true), [206, 3, 1], "web", "HDMI-A-1"),
    (SettingRecord(1, of: "", .grid(columns: 4, rows: 3)), [1, 4, 0, 0, 0, 0, 0, 0, 4, 3], "", ""),
    (
      SettingRecord(1, of: "", .place(vm: "web", Rect(x: -1, y: 2, width: 640, height: 480))),
      [1, 5, 0, 0, 0, 0, 0xffff_ffff, 2, 640, 480], "", "web"
    ),
    (SettingRecord(5, of: "DP-1", .user(1000), hasMore: true), [5, 6, 1, 0, 1000], "DP-1", ""),
    (SettingRecord(5, of: "DP-1", .group(44)), [5, 7, 0, 0, 44], "DP-1", ""),
  ])
  func `a record of a setting`(_ record: SettingRecord, _ fields: [UInt32], _ target: String, _ item: String) throws {
    let bytes = words(fields, byteCount: 40) + text(target, 64) + text(item, 128)
    #expect(SettingRecords.encode([record]) == bytes)
    #expect(try SettingRecords.decode(bytes + bytes) == [record, record])
  }

  @Test(arguments: [
    [2, 8], [2, 2, 0, 0, 256], [2, 2, 0, 0, 0xffff_ffff, 0xffff_ffff], [2, 0, 2], [5, 6, 0, 0, 0xffff_ffff],
    [5, 7, 0, 0, 0, 1],
  ])
  func `a record of an unknown form, with a choice or an id out of range, is malformed`(_ fields: [UInt32]) {
    #expect(throws: PresentProtocolError.self) { try SettingRecords.decode(words(fields, byteCount: 232)) }
  }

  @Test func `records are sent in a sealed memfd that holds exactly as many as the message announces`() throws {
    let records = [SettingRecord(201, of: "web", .number(5)), SettingRecord(202, of: "web", .none)]
    #expect(throws: PresentProtocolError.self) { try SettingRecords.decode([UInt8](repeating: 0, count: 231)) }
    var none = ReceivedFDs()
    #expect(throws: PresentProtocolError.malformed("SETTINGS without a sealed memfd")) {
      try SettingRecords.read(count: 1, fds: &none)
    }
    let pair = try UnixSocket.pair(.seqpacket)
    let client = try PresentConnection(UnixSocket(taking: pair.first.fd.duplicate()))
    let server = try PresentConnection(UnixSocket(taking: pair.second.fd.duplicate()))
    for (count, isWhole) in [(1, true), (2, true), (3, false)] {
      let file = try SettingRecords.file(records)
      #expect(try client.send(.settings(count: count, request: 1), fds: [file.raw]))
      var fds = ReceivedFDs()
      _ = try server.receiveClientMessage(fds: &fds)
      do {
        #expect(try SettingRecords.read(count: count, fds: &fds) == Array(records.prefix(count)))
        #expect(isWhole)
      } catch {
        #expect(error == .malformed("SETTINGS's memfd holds less than 3 records"))
        #expect(!isWhole)
      }
    }
  }
}

@Suite("Lease messages, literally")
struct LeaseMessageTests {
  @Test func `LEASE (14)`() throws {
    try expectBothWays(.lease(output: "DP-1", request: 6), words([14, 48, 6, 0]) + text("DP-1", 32))
    let endless = words([14, 48, 6, 0]) + [UInt8](repeating: 0x41, count: 32)
    #expect(throws: PresentProtocolError.malformed("LEASE's output is not 0-terminated UTF-8 text")) {
      try decodeClient(endless)
    }
    #expect(throws: PresentProtocolError.self) { try decodeClient(words([14, 40, 6, 0]) + text("DP-1", 24)) }
  }

  @Test func `LEASED (139) and LEASE_ENDED (140)`() throws {
    // header, lessee_id, connector_id, crtc_id, plane_id
    try expectBothWays(
      .leased(Leased(lesseeID: 1, connectorID: 42, crtcID: 37, planeID: 31), request: 0x1_0000_0002),
      words([139, 32, 2, 1, 1, 42, 37, 31]))
    try expectBothWays(.leaseEnded(why: "taken", request: 6), words([140, 272, 6, 0]) + text("taken", 256))
  }
}

@Suite("Daemon messages, literally")
struct ServerMessageTests {
  @Test func `REGION_NEWS (138)`() throws { try expectBothWays(.regionNews(scanout: 3), words([138, 24, 0, 0, 3, 0])) }

  @Test func `CHANGED (141)`() throws {
    try expectBothWays(.changed([.vms, .focus], request: 0x1_0000_0002), words([141, 24, 2, 1, 6, 0]))
  }

  @Test func `DEVICE (19) and DEVICE_SETTINGS (142)`() throws {
    let settings = DeviceSettings(memoryLimitBytes: 0x1_0000_0002, blankStoppedSeconds: 60)
    // header, max_memory (2), blank_stopped, reserved
    try expectBothWays(.device(settings), words([19, 32, 0, 0, 2, 1, 60, 0]))
    try expectBothWays(.deviceSettings(settings), words([142, 32, 0, 0, 2, 1, 60, 0]))
    try expectBothWays(.device(DeviceSettings()), words([19, 32, 0, 0, 0, 0, 0, 0]))
    try expectBothWays(.deviceSettings(DeviceSettings()), words([142, 32, 0, 0, 0, 0, 0, 0]))
  }

  @Test func `WELCOME (129)`() throws {
    try expectBothWays(
      .welcome(Welcome(scanoutCount: 2, memoryLimitBytes: 0x1_0000_0000)), words([129, 32, 0, 0, 3, 2, 0, 1]))
  }

  @Test func `OUTPUT (130)`() throws {
    let output = OutputDescription(
      scanout: 1, generation: 4, connected: true, parked: true,
      mode: DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000), widthMillimetres: 500,
      heightMillimetres: 300, cursorSize: 64, memoryKind: .dmaBuf, name: "DP-1", edid: [0, 255, 254])
    // header, scanout, connected, width, height, refresh_mhz, width_mm, height_mm, cursor_size, edid_size,
    // memory_kind, generation, parked, name[64], edid[1024]
    let bytes =
      words([130, 1152, 0, 0, 1, 1, 1920, 1080, 60_000, 500, 300, 64, 3, 2, 4, 1]) + text("DP-1", 64)
      + [0, 255, 254] + Array(repeating: 0, count: 1021)
    try expectBothWays(.output(output), bytes)
  }

  @Test func `BUFFER (131)`() throws {
    let reply = BufferReply(
      bufferID: 7, memoryKind: .memfd, width: 640, height: 480, strideBytes: 2560, byteCount: 0x12_c000)
    // header, buffer_id, memory_kind, stride, width, height, reserved, size (2)
    try expectBothWays(
      .buffer(reply, request: 9), words([131, 48, 9, 0, 7, 1, 2560, 640, 480, 0, 0x12_c000, 0]))
  }

  @Test func `FRAME_DONE (132) and RELEASED (133)`() throws {
    let done = FrameDone(scanout: 1, frame: 6, outcome: .superseded, timeNanoseconds: 0x1_0000_0002, sequence: 77)
    try expectBothWays(.frameDone(done), words([132, 48, 0, 0, 6, 0, 1, 2, 2, 1, 77, 0]))
    try expectBothWays(
      .released(Released(bufferID: 3, scanout: 1, frame: 9)), words([133, 32, 0, 0, 3, 1, 9, 0]))
  }

  @Test func `STATUS_REPLY (134) and SNAPSHOT_REPLY (135)`() throws {
    try expectBothWays(.statusReply(byteCount: 100, request: 5), words([134, 24, 5, 0, 100, 0]))
    let layout = try #require(FrameLayout(width: 4, height: 2, strideBytes: 16, format: .xrgb8888))
    let reply = SnapshotReply(layout: layout, fromWriteback: true, memoryKind: .memfd, byteCount: 32)
    try expectBothWays(
      .snapshotReply(reply, request: 5), words([135, 48, 5, 0, 4, 2, 16, xr24, 1, 1, 32, 0]))
  }

  @Test func `ERROR (136)`() throws {
    try expectBothWays(
      .error(ErrorMessage(code: .nameTaken, scanout: 2, text: "taken"), request: 5),
      words([136, 280, 5, 0, 3, 2]) + text("taken", 256))
  }
}

@Suite("Malformed messages")
struct MalformedTests {
  @Test(arguments: [
    [], [1], words([1, 16, 0]),  // shorter than the header
    words([4, 24, 0, 0, 5]),  // the header says 24, 20 bytes came
    words([4, 28, 0, 0, 5, 0, 0]),  // longer than DESTROY_BUFFER
    words([0, 16, 0, 0]), words([11, 16, 0, 0]), words([129, 32, 0, 0, 1, 2, 0, 1]),  // unknown types
    words([1, 608, 0, 0, 0x4854_5047, 3, 1, 2], byteCount: 608),  // wrong magic
    words([1, 608, 0, 0, 0x4854_5046, 3, 9, 2], byteCount: 608),  // client kind 9
    words([1, 608, 0, 0, 0x4854_5046, 3, 1, 17], byteCount: 608),  // 17 scanouts
    words([1, 608, 0, 0, 0x4854_5046, 3, 1, 1], byteCount: 608),  // no name
    words([1, 608, 0, 0, 0x4854_5046, 3, 1, 1]) + Array(repeating: 65, count: 576),  // a name without end
    words([2, 48, 0, 0, 7, 1, 640, 480, 1, 0, 1, 0]),  // format 1
    words([2, 48, 0, 0, 0, 1, 640, 480, xr24, 0, 1, 0]),  // buffer 0
    words([2, 48, 0, 0, 7, 1, 640, 480, xr24, 2, 1, 0]),  // usage 2
    words([3, 72, 9, 0, 7, 1, 2, 2, xr24, 7, 0, 0, 0, 0, 1, 1, 3, 0]),  // stride 7 for 2 pixels
    words([3, 72, 9, 0, 7, 1, 2, 2, xr24, 8, 0, 0xffff_ffff, 0, 0, 1, 1, 3, 0]),  // offset 2⁶³ and more
    words([3, 72, 9, 0, 7, 1, 2, 2, xr24, 8, 0, 0, 0, 0, 1, 4097, 3, 0]),  // 4097 ranges
    words([3, 72, 9, 0, 7, 1, 2, 2, xr24, 8, 0, 0, 0, 0, 2, 1, 3, 0]),  // a dma-buf with ranges
    words([5, 336, 0, 0, 1, 0, 0, 7, 0, 0, 640, 480, 4], byteCount: 336),  // path 4
    words([5, 336, 0, 0, 1, 0, 0, 7, 0, 0, 0, 480, 1], byteCount: 336),  // nothing of the buffer
    words([5, 336, 0, 0, 1, 0, 0, 7, 0xffff_ffff, 0, 1, 1, 1], byteCount: 336),  // left of the buffer
    words([5, 336, 0, 0, 1, 0, 0, 7, 0, 0, 640, 480, 1, 0, 0, 0, 0, 0, 17], byteCount: 336),  // 17 rectangles
    words([8, 280, 0, 0, 1, 0], byteCount: 280),  // path 0
  ])
  func `a client's message of the wrong size, type or value is refused`(bytes: [UInt8]) {
    #expect(throws: PresentProtocolError.self) { try decodeClient(bytes) }
  }

  @Test func `a HELLO of another version and any size is reported with its version`() {
    #expect(throws: PresentProtocolError.otherVersion(1)) {
      try decodeClient(words([1, 32, 0, 0, 0x4854_5046, 1, 0, 0]))
    }
  }

  @Test func `damage outside of the source is clipped`() throws {
    // Two rectangles: (-5, -5) 10x10, and one of 2³² - 1 pixels.
    let bytes = words(
      [5, 336, 0, 0, 1, 0, 0, 7, 0, 0, 640, 480, 1, 0, 0, 0, 0, 0, 2, 1]
        + [0xffff_fffb, 0xffff_fffb, 10, 10, 630, 470, 0xffff_ffff, 0xffff_ffff], byteCount: 336)
    guard case .present(let present) = try decodeClient(bytes) else {
      Issue.record("no PRESENT")
      return
    }
    guard case .region(let damage) = present.damage else {
      Issue.record("full damage")
      return
    }
    #expect(damage.count == 2)
    #expect(damage[0] == Rect(x: 0, y: 0, width: 5, height: 5))
    #expect(damage[1] == Rect(x: 630, y: 470, width: 10, height: 10))
  }

  @Test func `a frame that changes nothing is not one that changes everything`() throws {
    let source = Rect(x: 10, y: 10, width: 640, height: 480)
    func present(_ damage: Damage) -> Present {
      Present(scanout: 0, generation: 1, frame: 1, bufferID: 7, source: source, damage: damage, path: .direct)
    }
    let head: [UInt32] = [5, 336, 0, 0, 1, 0, 0, 7, 10, 10, 640, 480, 1, 0, 0, 0, 0, 0]
    let full = words(head + [0, 1], byteCount: 336)
    let nothing = words(head + [1, 1, 0, 0, 0, 0], byteCount: 336)
    try expectBothWays(.present(present(.full)), full)
    try expectBothWays(.present(present(.nothing)), nothing)
    // Damage beside the source is no change of it.
    let outside = words(head + [1, 1, 0, 0, 10, 480], byteCount: 336)
    for (bytes, changes) in [(full, true), (nothing, false), (outside, false)] {
      guard case .present(let decoded) = try decodeClient(bytes) else {
        Issue.record("not a PRESENT")
        return
      }
      #expect(decoded.damage.isNothing == !changes)
      #expect(decoded.damage.clipped(to: source).bounds == (changes ? source : .empty))
    }
  }
}
