import GraphicsMemory
import Scanout
import TestSupport
import Testing
import VirtioGPU

@Suite struct CursorTests {
  private static let square = Rect(width: 64, height: 64)

  private func makeGuest() throws -> TestGuest {
    let guest = try TestGuest(blobs: true)
    guest.makeImage(7, at: 0, width: 64, height: 64, format: 1)
    guest.draw(0x8040_2010, at: 0, width: 64, rect: Self.square)
    // Fenced: Linux waits for it without a timeout.
    let response = guest.send(transfer(7, Self.square, stride: 256, fence: 3))
    #expect(response?.prefix(9) == [0, 0x11, 0, 0, 1, 0, 0, 0, 3])
    return guest
  }

  @Test func `a cursor is shown, moved and hidden`() throws {
    let guest = try makeGuest()
    // UPDATE_CURSOR of literal bytes: scanout 0 at (-3, 20), resource 7, hotspot (1, 2)
    let response = guest.cursor([
      0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
    ])
    #expect(response == TestGuest.success)
    let id = try #require(guest.display.cursors.last?.bufferID)
    #expect(
      guest.display.cursors == [
        RecordingDisplay.CursorCall(scanout: 0, bufferID: id, x: -3, y: 20, hotX: 1, hotY: 2)
      ])
    #expect(Set(guest.display.pixels(id)) == [0x8040_2010])
    guest.cursor(updateCursor(0, 7, x: 4, y: 5, hotX: 1, hotY: 2, type: 0x0301))
    #expect(guest.display.cursors[1] == .init(scanout: 0, bufferID: id, x: 4, y: 5, hotX: 1, hotY: 2))
    guest.cursor(updateCursor(0, 0, x: 6, y: 7))
    #expect(guest.display.cursors[2] == .init(scanout: 0, bufferID: nil, x: 6, y: 7, hotX: 0, hotY: 0))
    guest.cursor(updateCursor(0, 0, x: 6, y: 7))
    #expect(guest.display.cursors.count == 3)
    #expect(guest.display.frames.isEmpty)
    #expect(guest.device.ledger.copiedBytes == 16384 && guest.device.cursorLedger.copiedBytes == 32768)
  }

  @Test func `a move shows the cursor by naming a resource, and hides it by naming none`() throws {
    let guest = try makeGuest()
    // Before any update there is no picture.
    guest.cursor(updateCursor(0, 7, x: 1, y: 1, type: 0x0301))
    #expect(guest.display.cursors.isEmpty)
    guest.cursor(updateCursor(0, 7, x: 1, y: 1, hotX: 2, hotY: 3))
    let id = try #require(guest.display.cursors.last?.bufferID)
    guest.cursor(updateCursor(0, 0, x: 4, y: 4, type: 0x0301))
    #expect(guest.display.cursors.last == .init(scanout: 0, bufferID: nil, x: 4, y: 4, hotX: 0, hotY: 0))
    // The hotspot of a move does not count.
    guest.cursor(updateCursor(0, 7, x: 5, y: 6, hotX: 9, hotY: 9, type: 0x0301))
    #expect(guest.display.cursors.last == .init(scanout: 0, bufferID: id, x: 5, y: 6, hotX: 2, hotY: 3))
    #expect(Set(guest.display.pixels(id)) == [0x8040_2010])
    // Hidden by an update, shown by a move.
    guest.cursor(updateCursor(0, 0, x: 4, y: 4))
    guest.cursor(updateCursor(0, 7, x: 5, y: 6, type: 0x0301))
    #expect(guest.display.cursors.last?.bufferID == id)
  }

  @Test func `a hidden cursor that a move shows has its picture after the display reconnects`() throws {
    let guest = try makeGuest()
    guest.cursor(updateCursor(0, 7, x: 1, y: 1))
    guest.cursor(updateCursor(0, 0, x: 4, y: 4, type: 0x0301))
    guest.display.forgetBuffers()
    guest.device.displayLost()
    guest.device.displayRestored()
    let count = guest.display.cursors.count
    guest.cursor(updateCursor(0, 7, x: 5, y: 6, type: 0x0301))
    #expect(guest.display.cursors.count == count + 1)
    #expect(Set(guest.display.pixels(try #require(guest.display.cursors.last?.bufferID))) == [0x8040_2010])
  }

  @Test func `an update without a valid picture keeps the picture before it`() throws {
    let guest = try makeGuest()
    guest.cursor(updateCursor(0, 7, x: 1, y: 1))
    let id = try #require(guest.display.cursors.last?.bufferID)
    guest.cursor(updateCursor(0, 0, x: 1, y: 1))
    guest.makeImage(1, at: 0x8000)
    #expect(guest.cursor(updateCursor(0, 1, x: 2, y: 3, hotX: 4, hotY: 5)) == 0x1205)
    #expect(guest.display.cursors.last == .init(scanout: 0, bufferID: id, x: 2, y: 3, hotX: 4, hotY: 5))
  }

  @Test func `a new cursor picture is drawn into the other buffer`() throws {
    let guest = try makeGuest()
    for value in UInt32(1)...5 {
      guest.draw(value, at: 0, width: 64, rect: Self.square)
      guest.type(transfer(7, Self.square, stride: 256))
      guest.cursor(updateCursor(0, 7, x: 0, y: 0))
    }
    let ids = guest.display.cursors.compactMap(\.bufferID)
    #expect(ids.count == 5 && Set(ids).count == 2 && zip(ids, ids.dropFirst()).allSatisfy { $0 != $1 })
    #expect(Set(guest.display.pixels(ids[4])) == [5])
    #expect(Set(guest.display.pixels(ids[3])) == [4])
  }

  @Test func `a cursor picture may come from a blob`() throws {
    let guest = try makeGuest()
    guest.draw(0xFF00_00FF, at: 0x8000, width: 64, rect: Self.square)
    #expect(guest.type(createBlob(8, size: 16384, [(0x8000, 16384)])) == TestGuest.success)
    #expect(guest.cursor(updateCursor(0, 8, x: 1, y: 1)) == TestGuest.success)
    #expect(Set(guest.display.pixels(try #require(guest.display.cursors.last?.bufferID))) == [0xFF00_00FF])
  }

  @Test func `a smaller cursor picture is padded`() throws {
    let guest = try makeGuest()
    guest.makeImage(9, at: 0x8000, width: 16, height: 8, format: 1)
    guest.draw(3, at: 0x8000, width: 16, rect: Rect(width: 16, height: 8))
    guest.type(transfer(9, Rect(width: 16, height: 8), stride: 64))
    guest.cursor(updateCursor(0, 7, x: 0, y: 0))
    guest.cursor(updateCursor(0, 7, x: 0, y: 0))
    guest.cursor(updateCursor(0, 9, x: 0, y: 0))
    let id = try #require(guest.display.cursors.last?.bufferID)
    #expect(guest.display.pixel(id, 15, 7) == 3 && guest.display.pixel(id, 16, 7) == 0)
    #expect(guest.display.pixel(id, 15, 8) == 0 && guest.display.pixel(id, 63, 63) == 0)
  }

  @Test func `a resource that is not a valid cursor is refused`() throws {
    let guest = try makeGuest()
    guest.makeImage(1, at: 0)
    guest.type(createBlob(2, size: 16383, [(0, 16383)]))
    guest.type(createBlob(3, size: 16384, []))
    let cases: [(String, [UInt8], UInt32)] = [
      ("nothing", [], 0x1200), ("short", header(0x0300), 0x1200), ("other command", header(0x0100), 0x1200),
      ("scanout", updateCursor(1, 7, x: 0, y: 0), 0x1202), ("unknown", updateCursor(0, 99, x: 0, y: 0), 0x1203),
      ("large", updateCursor(0, 1, x: 0, y: 0), 0x1205), ("small blob", updateCursor(0, 2, x: 0, y: 0), 0x1205),
      ("blob without pages", updateCursor(0, 3, x: 0, y: 0), 0x1200),
    ]
    for (name, request, wanted) in cases { #expect(guest.cursor(request) == wanted, "\(name)") }
    #expect(guest.display.cursors.isEmpty)
  }

  @Test func `a cursor outlives its resource`() throws {
    let guest = try makeGuest()
    guest.cursor(updateCursor(0, 7, x: 0, y: 0))
    guest.type(unref(7))
    guest.cursor(updateCursor(0, 7, x: 1, y: 1, type: 0x0301))
    #expect(guest.display.cursors.count == 2)
    guest.device.reset()
    #expect(guest.display.cursors.last?.bufferID == nil)
    #expect(guest.display.buffers.isEmpty)
  }
}
