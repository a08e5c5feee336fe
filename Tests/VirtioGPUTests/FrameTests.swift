import GraphicsMemory
import GuestMemory
import Scanout
import TestSupport
import Testing
import VirtioGPU

/// Frames of 2D resources: the time and place of their copies.
@Suite struct FrameTests {
  @Test func `the device boots as Linux drives it`() throws {
    let guest = try TestGuest()
    #expect(guest.type(header(0x010A) + [0, 0, 0, 0, 0, 0, 0, 0]) == 0x1104)
    #expect(guest.type(header(0x0100)) == 0x1101)
    #expect(guest.type(create2D(1, width: 128, height: 96)) == TestGuest.success)
    #expect(guest.type(attach(1, [(0x20000, 0x4000), (0x2000, 0x8000)])) == TestGuest.success)
    #expect(guest.type(setScanout(0, 0, Rect(width: 128, height: 96))) == TestGuest.success)
    for row in 0..<96 {
      // The first 32 rows are at 0x20000, the rest at 0x2000.
      let address = row < 32 ? 0x20000 + row * 512 : 0x2000 + (row - 32) * 512
      guest.draw(UInt32(row), at: address, rect: Rect(width: 128, height: 1))
    }
    guest.flip(1)
    let frame = try #require(guest.display.frames.last)
    #expect(guest.display.frames.count == 1)
    #expect(guest.display.pixels(frame.bufferID) == (0..<96).flatMap { [UInt32](repeating: $0, count: 128) })
    #expect(frame.scanout == 0 && frame.frame == 1 && frame.path == .copy)
    #expect(frame.source == whole && frame.damagedBounds == whole)
    #expect(frame.copiedBytes == 49152)
    #expect(frame.readyNanoseconds == guest.now)
    #expect(guest.display.paths == ["0 copy: the guest does not wait for the screen: direct scan-out would tear"])
  }

  @Test(arguments: [0, 64])
  func `pages scattered inside rows are copied`(padding: Int) throws {
    let guest = try TestGuest(regionCount: 7)
    guest.display.padByteCount = padding
    // Pieces of 100 bytes, not in the order of their addresses, some across the border of two regions.
    var list: [(UInt64, UInt32)] = []
    var address = 3_500_000
    for offset in stride(from: 0, to: 49152, by: 100) {
      let count = min(100, 49152 - offset)
      address = (address + 600_052) % (4_000_000)
      list.append((UInt64(address), UInt32(count)))
      for byte in 0..<count { guest.ram.bytes[address + byte] = UInt8((offset + byte) / 4 % 251) }
    }
    guest.type(create2D(1, width: 128, height: 96))
    #expect(guest.type(attach(1, list)) == TestGuest.success)
    guest.flip(1)
    let wanted = (0..<128 * 96).map { UInt32($0 % 251) * 0x0101_0101 }
    #expect(guest.display.pixels(guest.display.lastBufferID) == wanted)
    guest.type(transfer(1, Rect(x: 13, y: 7, width: 50, height: 40)))
    guest.type(flush(1, whole))
    #expect(guest.display.pixels(guest.display.lastBufferID) == wanted)
  }

  @Test func `pixels are copied at the transfer, not at the flush`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.draw(7, at: 0)
    guest.type(transfer(1, whole))
    guest.draw(8, at: 0)
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [7])
  }

  @Test func `a flip is copied at the transfer though the resource is not bound yet`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.makeImage(2, at: 0x20000)
    guest.flip(1)
    guest.flip(2)
    guest.draw(5, at: 0)
    guest.type(transfer(1, whole))
    guest.draw(6, at: 0)
    guest.type(setScanout(0, 1, whole))
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [5])
  }

  @Test func `a buffer that is being read is never drawn into`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.makeImage(2, at: 0x20000)
    var onScreen: UInt32?
    var pending: FrameSubmission?
    for round in 0..<200 {
      let address = round % 2 == 0 ? 0 : 0x20000
      guest.draw(UInt32(round), at: address)
      let before = guest.display.buffers.keys.map { ($0, guest.display.pixel($0, 64, 48)) }
      guest.flip(UInt32(round % 2 + 1))
      let frame = try #require(guest.display.frames.last)
      for (id, pixel) in before where id == onScreen || id == pending?.bufferID {
        #expect(guest.display.pixel(id, 64, 48) == pixel, "round \(round)")
      }
      #expect(frame.bufferID != onScreen && frame.bufferID != pending?.bufferID)
      #expect(guest.display.pixel(frame.bufferID, 127, 95) == UInt32(round))
      // Mailbox: the frame before is superseded, except in every third round, when it is on screen in time.
      if let pending {
        if round % 3 == 0 {
          guest.device.frameDone(scanout: 0, frame: pending.frame, outcome: .flipped, timeNanoseconds: 1)
          if let onScreen { guest.device.bufferReleased(onScreen) }
          onScreen = pending.bufferID
        } else {
          guest.device.frameDone(scanout: 0, frame: pending.frame, outcome: .superseded, timeNanoseconds: 0)
          guest.device.bufferReleased(pending.bufferID)
        }
      }
      pending = frame
    }
    #expect(guest.display.frames.count == 200)
    #expect(guest.display.requestCount <= 4)
    #expect(guest.device.ledger.copiedBytes == 200 * 49152)
  }

  @Test func `without a free buffer the copy happens later`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    for round in 1...6 {
      guest.draw(UInt32(round), at: 0)
      guest.flip(1)
    }
    #expect(guest.display.frames.count == 4 && guest.display.requestCount == 4)
    guest.device.frameDone(scanout: 0, frame: 1, outcome: .superseded, timeNanoseconds: 0)
    #expect(guest.display.frames.count == 5)
    #expect(guest.display.frames[4].bufferID == guest.display.frames[0].bufferID)
    #expect(guest.lastPixels == [6])
    #expect(guest.display.frames[4].copiedBytes == 49152)
    guest.device.frameDone(scanout: 0, frame: 2, outcome: .superseded, timeNanoseconds: 0)
    #expect(guest.display.frames.count == 5, "the frame that was due has been shown")
  }

  @Test func `a stale buffer is brought up to date`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.draw(1, at: 0)
    guest.flip(1)
    guest.showFrame(guest.display.frames[0])
    var before = guest.display.frames[0].bufferID
    // Front-buffer drawing: each frame changes one square of 16 × 16.
    for step in 0..<20 {
      let square = Rect(x: step * 5, y: step * 4, width: 16, height: 16)
      guest.draw(UInt32(100 + step), at: 0, rect: square)
      guest.type(transfer(1, square))
      guest.type(flush(1, square))
      let frame = try #require(guest.display.frames.last)
      let wanted = (0..<128 * 96).map { guest.ram.bytes.load(fromByteOffset: $0 * 4, as: UInt32.self) }
      #expect(guest.display.pixels(frame.bufferID) == wanted, "step \(step)")
      #expect(frame.damagedBounds == square)
      // Two buffers in turn: this square, and the previous one.
      if step > 1 { #expect(frame.copiedBytes <= 2 * 1024) }
      guest.showFrame(frame, replacing: before)
      before = frame.bufferID
    }
    #expect(guest.display.requestCount == 2)
  }

  @Test func `further transfers go into the same buffer until the flush`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.showFrame(guest.display.frames[0])
    let before = guest.device.ledger.copiedBytes
    for y in 0..<4 { guest.type(transfer(1, Rect(x: 0, y: y * 10, width: 128, height: 10))) }
    guest.type(flush(1, Rect(x: 0, y: 0, width: 128, height: 40)))
    #expect(guest.display.frames.count == 2)
    #expect(guest.display.requestCount == 2)
    // The second buffer was new: copied whole once, then three times ten rows.
    #expect(guest.device.ledger.copiedBytes - before == 49152 + 3 * 5120)
    #expect(guest.display.frames[1].copiedBytes == 49152 + 3 * 5120)
  }

  @Test func `nothing is presented without a change`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.type(flush(1, whole))
    guest.type(setScanout(0, 1, whole))
    guest.type(flush(1, whole))
    #expect(guest.display.frames.count == 1)
  }

  @Test func `one resource may be shown on several scanouts`() throws {
    let mode = DisplayMode(width: 64, height: 96, refreshMillihertz: 60_000)
    let guest = try TestGuest(modes: [mode, mode])
    guest.makeImage(1, at: 0)
    let left = Rect(width: 64, height: 96)
    let right = Rect(x: 64, y: 0, width: 64, height: 96)
    guest.draw(1, at: 0, rect: left)
    guest.draw(2, at: 0, rect: right)
    guest.type(transfer(1, whole))
    guest.type(setScanout(0, 1, left))
    guest.type(setScanout(1, 1, right))
    guest.type(flush(1, whole))
    #expect(guest.display.frames.map(\.scanout) == [0, 1])
    #expect(Set(guest.display.pixels(guest.display.frames[0].bufferID)) == [1])
    #expect(Set(guest.display.pixels(guest.display.frames[1].bufferID)) == [2])
    #expect(guest.device.ledger.copiedBytes == 49152, "each scanout copies its own part")
    // A change on the right is a frame on the right only.
    let square = Rect(x: 70, y: 4, width: 8, height: 8)
    guest.draw(9, at: 0, rect: square)
    guest.type(transfer(1, square))
    guest.type(flush(1, square))
    #expect(guest.display.frames.count == 3)
    #expect(guest.display.frames[2].scanout == 1)
    #expect(guest.display.frames[2].damagedBounds == Rect(x: 6, y: 4, width: 8, height: 8))
    #expect(guest.display.pixel(guest.display.frames[2].bufferID, 6, 4) == 9)
    // Mirrors.
    guest.type(setScanout(1, 1, left))
    guest.type(flush(1, whole))
    #expect(guest.display.frames.count == 4 && guest.display.frames[3].scanout == 1)
    #expect(Set(guest.display.pixels(guest.display.frames[3].bufferID)) == [1])
  }

  @Test func `scanouts can be disabled`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.type(setScanout(0, 0, .empty))
    guest.type(setScanout(0, 0, .empty))
    #expect(guest.display.disabled == [0])
    guest.type(transfer(1, whole))
    guest.type(flush(1, whole))
    #expect(guest.display.frames.count == 1)
    guest.flip(1)
    #expect(guest.display.frames.count == 2)
    #expect(guest.type(unref(1)) == TestGuest.success)
    #expect(guest.display.disabled == [0, 0])
    #expect(guest.type(flush(1, whole)) == 0x1203)
  }

  @Test func `the picture stays when its pages are detached`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.draw(3, at: 0)
    guest.type(transfer(1, whole))
    #expect(guest.type(detach(1)) == TestGuest.success)
    #expect(guest.type(detach(1)) == 0x1200)
    guest.draw(4, at: 0)
    #expect(guest.type(transfer(1, whole)) == 0x1200)
    guest.type(setScanout(0, 1, whole))
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [3])
    // New pages, elsewhere.
    guest.draw(5, at: 0x20000)
    guest.type(attach(1, [(0x20000, 49152)]))
    guest.type(transfer(1, whole))
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [5])
  }

  @Test func `a moved source rectangle of the same resource is followed`() throws {
    let guest = try TestGuest()
    guest.type(create2D(1, width: 128, height: 96))
    guest.type(attach(1, [(0, 2 * 49152)]))
    guest.draw(1, at: 0)
    guest.draw(2, at: 49152)
    guest.flip(1)
    guest.type(transfer(1, whole, offset: 49152))
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [2])
    // Unrelated transfers: no single position of the picture in the pages explains them all.
    let square = Rect(x: 8, y: 8, width: 4, height: 4)
    guest.type(transfer(1, square, offset: 16))
    guest.type(flush(1, square))
    let frame = try #require(guest.display.frames.last)
    #expect(guest.display.pixel(frame.bufferID, 8, 8) == 1)
    #expect(guest.display.pixel(frame.bufferID, 12, 12) == 2)
  }

  @Test func `an image that changed while not shown is copied whole`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.makeImage(2, at: 0x20000)
    guest.flip(1)
    guest.flip(2)
    // Linux before 6.8 sends the damage against the frame on screen, not against this buffer.
    guest.draw(6, at: 0)
    let square = Rect(x: 0, y: 0, width: 16, height: 16)
    guest.type(transfer(1, square))
    guest.type(setScanout(0, 1, whole))
    guest.type(flush(1, square))
    #expect(guest.lastPixels == [6])
    #expect(guest.display.frames.last?.damagedBounds == whole)
  }

  @Test func `buffers of at most two sizes are kept`() throws {
    let guest = try TestGuest(ramBytes: 1 << 22)
    for round in 0..<8 {
      let side = UInt32(65 + round * 10)
      guest.makeImage(UInt32(round + 1), at: 0, width: side, height: side)
      let rect = Rect(width: Int(side), height: Int(side))
      guest.type(transfer(UInt32(round + 1), rect, stride: Int(side) * 4))
      guest.type(setScanout(0, UInt32(round + 1), rect))
      guest.type(flush(UInt32(round + 1), rect))
    }
    #expect(guest.display.frames.count == 8)
    #expect(guest.display.buffers.count == 2)
  }

  @Test func `a small image is shown too`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0, width: 32, height: 32)
    guest.draw(4, at: 0, width: 32, rect: Rect(width: 32, height: 32))
    let rect = Rect(width: 32, height: 32)
    guest.type(transfer(1, rect, stride: 128))
    guest.type(setScanout(0, 1, rect))
    guest.type(flush(1, rect))
    #expect(guest.lastPixels == [4])
  }

  @Test func `pages are found again after the memory table changes`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0x100000)
    guest.flip(1)
    guest.showFrame(guest.display.frames[0])
    try guest.memory.replaceRegions([])
    guest.device.memoryChanged()
    #expect(guest.type(transfer(1, whole)) == 0x1200)
    try guest.memory.replaceRegions([try guest.ram.region(byteCount: 1 << 21), try guest.ram.region(from: 1 << 21)])
    guest.device.memoryChanged()
    guest.draw(3, at: 0x100000)
    guest.type(transfer(1, whole))
    guest.type(flush(1, whole))
    #expect(guest.lastPixels == [3])
  }

  @Test func `a reset returns the device to its initial state`() throws {
    let guest = try TestGuest(blobs: true)
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.device.reset()
    #expect(guest.display.buffers.isEmpty)
    #expect(guest.display.disabled == [0])
    #expect(guest.type(flush(1, whole)) == 0x1203)
    guest.makeImage(1, at: 0)
    guest.flip(1)
    #expect(guest.display.frames.map(\.frame) == [1, 2], "frame numbers rise for ever")
    // Answers to frames from before the reset change nothing.
    guest.device.frameDone(scanout: 0, frame: 1, outcome: .flipped, timeNanoseconds: 0)
    guest.device.bufferReleased(1)
    guest.device.frameDone(scanout: 99, frame: 1, outcome: .flipped, timeNanoseconds: 0)
  }
}
