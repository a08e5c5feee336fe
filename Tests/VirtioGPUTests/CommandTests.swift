import GraphicsMemory
import Scanout
import TestSupport
import Testing
import VirtioGPU

/// Commands and their answers, byte for byte.
@Suite struct CommandTests {
  @Test func `GET_DISPLAY_INFO lists the heads`() throws {
    let guest = try TestGuest(modes: [
      DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000),
      DisplayMode(width: 1280, height: 1024, refreshMillihertz: 75_000),
    ])
    let response = try #require(guest.send(header(0x0100)))
    #expect(response.count == 408)
    #expect(
      Array(response[..<72]) == [
        0x01, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // OK_DISPLAY_INFO
        0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x07, 0, 0, 0x38, 0x04, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,  // 1920x1080+0+0, enabled
        0x80, 0x07, 0, 0, 0, 0, 0, 0, 0, 0x05, 0, 0, 0, 0x04, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,  // 1280x1024+1920+0
      ])
    #expect(response[72...].allSatisfy { $0 == 0 })
  }

  @Test func `a scanout that the device lacks is refused, and reported once until the guest restarts`() throws {
    let guest = try TestGuest()
    var missing: [UInt32] = []
    guest.device.onMissingScanout = { missing.append($0) }
    for _ in 0..<2 {
      for index: UInt32 in [0, 2, 1] {
        let edid = try #require(guest.send(header(0x010A) + bytes(index) + bytes(UInt32(0))))
        #expect(guest.word(edid, 0) == (index == 0 ? 0x1104 : 0x1202))
      }
    }
    #expect(missing == [2])
    guest.device.reset()
    _ = guest.send(header(0x0103) + [UInt8](repeating: 0, count: 16) + bytes(UInt32(1)) + bytes(UInt32(0)))
    #expect(missing == [2, 1])
  }

  @Test func `an unplugged head is disabled in the display info`() throws {
    let guest = try TestGuest()
    guest.display.heads[0]?.connected = false
    let response = try #require(guest.send(header(0x0100)))
    #expect(response[24...].allSatisfy { $0 == 0 })
    let edid = try #require(guest.send(header(0x010A) + bytes(UInt32(0)) + bytes(UInt32(0))))
    #expect(guest.word(edid, 0) == 0x1104 && guest.word(edid, 24) == 0)
  }

  @Test func `the EDID agrees with the display info`() throws {
    let guest = try TestGuest(modes: [DisplayMode(width: 1366, height: 768, refreshMillihertz: 60_000)])
    let response = try #require(guest.send(header(0x010A) + [0, 0, 0, 0, 0, 0, 0, 0]))
    #expect(response.count == 1056)
    #expect(Array(response[..<8]) == [0x04, 0x11, 0, 0, 0, 0, 0, 0])
    #expect(Array(response[24..<32]) == [128, 0, 0, 0, 0, 0, 0, 0])
    #expect(EDID.preferredMode(of: Array(response[32..<160]))?.width == 1366)
    #expect(response[160...].allSatisfy { $0 == 0 })
  }

  @Test func `commands of a feature that was not negotiated are refused`() throws {
    let guest = try TestGuest(edid: false)
    #expect(guest.type(header(0x010A) + [0, 0, 0, 0, 0, 0, 0, 0]) == 0x1200)
    #expect(guest.type(createBlob(1, size: 4096, [(0, 4096)])) == 0x1200)
    #expect(guest.type(setScanoutBlob(0, 0, whole, width: 128, height: 96, stride: 512)) == 0x1200)
  }

  @Test func `a command of literal bytes is served`() throws {
    let guest = try TestGuest()
    // RESOURCE_CREATE_2D, fence 0x0102030405060708 of context 9 and ring 3: id 5, B8G8R8X8, 640 × 480
    let response = guest.send([
      0x01, 0x01, 0, 0, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 3, 0, 0, 0,
      5, 0, 0, 0, 2, 0, 0, 0, 0x80, 0x02, 0, 0, 0xE0, 0x01, 0, 0,
    ])
    #expect(
      response == [0x00, 0x11, 0, 0, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 3, 0, 0, 0])
  }

  @Test func `an error response echoes the fence`() throws {
    let guest = try TestGuest()
    let response = guest.send(transfer(77, whole, fence: 0x2A))
    #expect(response == [0x03, 0x12, 0, 0, 1, 0, 0, 0, 0x2A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a response without a fence leaves the fence fields zero`() throws {
    let guest = try TestGuest()
    var request = unref(9)
    request[8] = 0x55
    #expect(guest.send(request) == [0x03, 0x12] + [UInt8](repeating: 0, count: 22))
  }

  @Test(arguments: [UInt32(1), 2, 3, 4, 67, 68, 121, 134])
  func `the eight pixel formats are known`(format: UInt32) throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0, format: format)
    guest.draw(0x1122_3344, at: 0)
    guest.flip(1)
    #expect(guest.lastPixels == [0x1122_3344])
    let layout = try #require(guest.display.buffers[guest.display.lastBufferID]).mapped.layout
    let wanted: [UInt32: PixelFormat] = [
      1: .xrgb8888, 2: .xrgb8888, 3: .bgrx8888, 4: .bgrx8888, 67: .xbgr8888, 68: .rgbx8888, 121: .rgbx8888,
      134: .xbgr8888,
    ]
    #expect(layout.format == wanted[format])
  }

  @Test func `faulty commands are refused with the specification's error codes`() throws {
    let guest = try TestGuest(blobs: true, configuration: DeviceConfiguration(memoryLimitBytes: 1 << 20))
    guest.makeImage(1, at: 0)
    guest.type(createBlob(2, size: 49152, [(0x10_0000, 49152)]))
    let cases: [(String, [UInt8], UInt32)] = [
      ("no header", [1, 1, 0, 0], 0x1200),
      ("nothing", [], 0x1200),
      ("short command", Array(create2D(5, width: 32, height: 32).dropLast(4)), 0x1200),
      ("GET_CAPSET_INFO", header(0x0108) + bytes(UInt32(0)) + bytes(UInt32(0)), 0x1200),
      ("GET_CAPSET", header(0x0109) + bytes(UInt32(0)) + bytes(UInt32(0)), 0x1200),
      ("RESOURCE_ASSIGN_UUID", header(0x010B) + bytes(UInt32(1)) + bytes(UInt32(0)), 0x1200),
      ("unknown", header(0xFFFF_FFFF), 0x1200),
      ("cursor on the control queue", updateCursor(0, 0, x: 0, y: 0), 0x1200),
      ("CTX_CREATE", header(0x0200), 0x1200),
      ("SUBMIT_3D", header(0x0207, context: 1), 0x1204),
      ("CTX_DESTROY", header(0x0201, context: 1), 0x1204),
      ("id 0", create2D(0, width: 32, height: 32), 0x1203),
      ("id in use", create2D(1, width: 32, height: 32), 0x1203),
      ("format", create2D(5, format: 5, width: 32, height: 32), 0x1205),
      ("no width", create2D(5, width: 0, height: 32), 0x1205),
      ("no height", create2D(5, width: 32, height: 0), 0x1205),
      ("too wide", create2D(5, width: 16385, height: 1), 0x1205),
      ("2^32-1 squared", create2D(5, width: .max, height: .max), 0x1205),
      ("2^31 × 2^31", create2D(5, width: 1 << 31, height: 1 << 31), 0x1205),
      ("UNREF unknown", unref(5), 0x1203),
      ("UNREF 0", unref(0), 0x1203),
      ("ATTACH unknown", attach(5, [(0, 4096)]), 0x1203),
      ("ATTACH twice", attach(1, [(0, 4096)]), 0x1200),
      ("DETACH unknown", detach(5), 0x1203),
      ("SET_SCANOUT 1", setScanout(1, 1, whole), 0x1202),
      ("SET_SCANOUT 2^32-1", setScanout(.max, 0, .empty), 0x1202),
      ("SET_SCANOUT unknown", setScanout(0, 5, whole), 0x1203),
      ("SET_SCANOUT outside", setScanout(0, 1, Rect(x: 1, y: 0, width: 128, height: 96)), 0x1205),
      (
        "SET_SCANOUT overflows", setScanout(0, 1, Rect(x: 0xFFFF_FFF0, y: 0, width: 32, height: 96)), 0x1205
      ),
      ("SET_SCANOUT empty", setScanout(0, 1, Rect(width: 0, height: 96)), 0x1205),
      ("SET_SCANOUT of one row", setScanout(0, 1, Rect(width: 128, height: 1)), 0x1100),
      ("SET_SCANOUT of a blob", setScanout(0, 2, whole), 0x1205),
      ("FLUSH unknown", flush(5, whole), 0x1203),
      ("FLUSH outside", flush(1, Rect(x: 0, y: 0, width: 129, height: 96)), 0x1205),
      ("TRANSFER unknown", transfer(5, whole), 0x1203),
      ("TRANSFER outside", transfer(1, Rect(x: 0, y: 90, width: 128, height: 7)), 0x1205),
      ("TRANSFER past the pages", transfer(1, whole, offset: 4), 0x1205),
      ("TRANSFER offset overflows", transfer(1, whole, offset: .max), 0x1205),
      ("EDID of scanout 1", header(0x010A) + bytes(UInt32(1)) + bytes(UInt32(0)), 0x1202),
      ("EDID truncated", header(0x010A) + bytes(UInt32(0)), 0x1200),
      ("BLOB id 0", createBlob(0, size: 4096, [(0, 4096)]), 0x1203),
      ("BLOB id in use", createBlob(1, size: 4096, [(0, 4096)]), 0x1203),
      ("BLOB of the host", createBlob(5, memory: 2, size: 4096, []), 0x1205),
      ("BLOB flags", createBlob(5, flags: 8, size: 4096, [(0, 4096)]), 0x1205),
      ("BLOB of nothing", createBlob(5, size: 0, [(0, 4096)]), 0x1205),
      ("BLOB of 2^64-1", createBlob(5, size: .max, [(0, 4096)]), 0x1205),
      ("BLOB larger than its pages", createBlob(5, size: 4097, [(0, 4096)]), 0x1205),
      ("SET_SCANOUT_BLOB 1", setScanoutBlob(1, 2, whole, width: 128, height: 96, stride: 512), 0x1202),
      ("SET_SCANOUT_BLOB unknown", setScanoutBlob(0, 5, whole, width: 128, height: 96, stride: 512), 0x1203),
      ("SET_SCANOUT_BLOB of an image", setScanoutBlob(0, 1, whole, width: 128, height: 96, stride: 512), 0x1205),
      ("SET_SCANOUT_BLOB stride", setScanoutBlob(0, 2, whole, width: 128, height: 96, stride: 511), 0x1205),
      ("SET_SCANOUT_BLOB size", setScanoutBlob(0, 2, whole, width: 128, height: 97, stride: 512), 0x1205),
      (
        "SET_SCANOUT_BLOB offset",
        setScanoutBlob(0, 2, whole, width: 128, height: 96, stride: 512, offset: .max), 0x1205
      ),
      ("SET_SCANOUT_BLOB stride 2^32-1", setScanoutBlob(0, 2, whole, width: 128, height: 96, stride: .max), 0x1205),
      ("SET_SCANOUT_BLOB format", setScanoutBlob(0, 2, whole, width: 128, height: 96, format: 9, stride: 512), 0x1205),
      (
        "SET_SCANOUT_BLOB outside",
        setScanoutBlob(0, 2, Rect(x: 0, y: 1, width: 128, height: 96), width: 128, height: 96, stride: 512), 0x1205
      ),
    ]
    for (name, request, wanted) in cases { #expect(guest.type(request) == wanted, "\(name)") }
    #expect(guest.display.frames.isEmpty && guest.display.requestCount == 0)
  }

  @Test func `backing outside guest memory is refused`() throws {
    let guest = try TestGuest(blobs: true)
    guest.type(create2D(1, width: 128, height: 96))
    let refused: [(String, [(UInt64, UInt32)], UInt32?)] = [
      ("none", [], nil),
      ("none there", [], 1),
      ("one missing", [(0, 4096)], 2),
      ("2^32-1", [(0, 4096)], .max),
      ("16385", [(UInt64, UInt32)](repeating: (0, 4096), count: 16385), nil),
      ("no length", [(0, 0)], nil),
      ("outside", [(1 << 40, 4096)], nil),
      ("over the end", [(1 << 22 - 2048, 4096)], nil),
      ("overflow", [(.max - 10, 4096)], nil),
      ("4 GiB", [(0, .max)], nil),
    ]
    for (name, list, count) in refused {
      #expect(guest.type(attach(1, list, count: count)) == 0x1200, "\(name)")
      // A blob may have no entries.
      if name == "none" { continue }
      #expect(guest.type(createBlob(2, size: 4096, list, count: count)) == 0x1200, "\(name)")
    }
    #expect(guest.type(attach(1, [(UInt64, UInt32)](repeating: (0, 4096), count: 16384))) == TestGuest.success)
  }

  @Test func `the configuration space has sixteen bytes`() throws {
    let guest = try TestGuest(
      modes: [DisplayMode](repeating: DisplayMode(width: 640, height: 480, refreshMillihertz: 60_000), count: 3))
    func read(_ offset: Int, _ count: Int) -> [UInt8] {
      var buffer = [UInt8](repeating: 0xEE, count: count)
      buffer.withUnsafeMutableBytes { guest.device.readConfiguration(offset: offset, into: $0) }
      return buffer
    }
    #expect(read(0, 20) == [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    guest.device.headsChanged()
    #expect(read(0, 9) == [1, 0, 0, 0, 0, 0, 0, 0, 3])
    #expect(read(.max, 2) == [0, 0])
    // SET_CONFIG of the whole space, as QEMU sends it: events_clear 1.
    let written: [UInt8] = [1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0]
    written.withUnsafeBytes { guest.device.writeConfiguration(offset: 0, bytes: $0) }
    #expect(read(0, 16) == [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
    written.withUnsafeBytes { guest.device.writeConfiguration(offset: .max - 3, bytes: $0) }
  }
}
