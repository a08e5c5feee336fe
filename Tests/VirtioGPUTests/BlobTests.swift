import Scanout
import TestSupport
import Testing
import VirtioGPU

/// Blobs of guest memory, and the pacing of a guest by its fenced flushes.
@Suite struct BlobTests {
  /// A guest with blobs 1 and 2 of 128 × 96 pixels.
  private func makeGuest(modes: Int = 1) throws -> TestGuest {
    let mode = DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000)
    let guest = try TestGuest(modes: [DisplayMode](repeating: mode, count: modes), blobs: true)
    #expect(guest.type(createBlob(1, size: 49152, [(0, 0x8000), (0x8000, 0x4000)])) == TestGuest.success)
    #expect(guest.type(createBlob(2, size: 49152, [(0x20000, 49152)])) == TestGuest.success)
    return guest
  }

  private func show(_ guest: TestGuest, _ id: UInt32, scanout: UInt32 = 0) {
    #expect(guest.type(transfer(id, whole)) == TestGuest.success)
    #expect(guest.type(setScanoutBlob(scanout, id, whole, width: 128, height: 96, stride: 512)) == TestGuest.success)
  }

  @Test func `a fenced flush is answered at the flip`() throws {
    let guest = try makeGuest()
    guest.draw(5, at: 0)
    show(guest, 1)
    let token = try #require(guest.token(flush(1, whole, fence: 0x1234)))
    #expect(guest.completions.isEmpty)
    #expect(guest.lastPixels == [5])
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions == [token])
    #expect(
      Array(guest.device.response[..<24]) == [
        0, 0x11, 0, 0, 1, 0, 0, 0, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      ])
    #expect(guest.device.nextDeadline == nil)
  }

  @Test func `a flush without a fence is answered at once`() throws {
    let guest = try makeGuest()
    show(guest, 1)
    #expect(guest.type(flush(1, whole)) == TestGuest.success)
    #expect(guest.display.frames.count == 1)
  }

  @Test func `a fenced transfer of a blob is answered at once`() throws {
    let guest = try makeGuest()
    let response = guest.send(transfer(1, Rect(width: 64, height: 64), fence: 7))
    #expect(response == [0, 0x11, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a flush is held no longer than the guest waits`() throws {
    let guest = try makeGuest()
    show(guest, 1)
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    #expect(guest.device.nextDeadline == guest.now + 45_000_000)
    guest.device.timerFired(nowNanoseconds: guest.now + 44_999_999)
    #expect(guest.completions.isEmpty)
    guest.device.timerFired(nowNanoseconds: guest.now + 45_000_000)
    #expect(guest.completions == [token])
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions.count == 1)
  }

  @Test(arguments: [FrameOutcome.superseded, .rejected])
  func `a flush is answered though its frame is never shown`(outcome: FrameOutcome) throws {
    let guest = try makeGuest()
    show(guest, 1)
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    guest.device.frameDone(scanout: 0, frame: 1, outcome: outcome, timeNanoseconds: 0)
    #expect(guest.completions == [token])
  }

  @Test func `a flush is answered when its scanout is disabled`() throws {
    let guest = try makeGuest()
    show(guest, 1)
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    #expect(guest.type(unref(1)) == TestGuest.success)
    #expect(guest.completions == [token])
  }

  @Test func `page flips are paced`() throws {
    let guest = try makeGuest()
    var before: UInt32?
    for round in 0..<50 {
      let id = UInt32(round % 2 + 1)
      guest.draw(UInt32(round), at: round % 2 == 0 ? 0 : 0x20000)
      show(guest, id)
      let token = try #require(guest.token(flush(id, whole, fence: UInt64(round + 1))))
      let frame = try #require(guest.display.frames.last)
      #expect(guest.lastPixels == [UInt32(round)])
      #expect(frame.copiedBytes == 49152)
      guest.showFrame(frame, replacing: before)
      #expect(guest.completions.last == token)
      before = frame.bufferID
    }
    #expect(guest.display.requestCount == 2, "a paced guest needs two buffers")
  }

  @Test func `only damage is copied while the blob stays bound`() throws {
    let guest = try makeGuest()
    show(guest, 1)
    guest.type(flush(1, whole))
    guest.showFrame(guest.display.frames[0])
    guest.type(flush(1, whole))
    guest.showFrame(guest.display.frames[1], replacing: guest.display.frames[0].bufferID)
    let square = Rect(x: 8, y: 8, width: 8, height: 8)
    guest.draw(3, at: 0, rect: square)
    guest.type(flush(1, square))
    #expect(guest.display.frames[2].copiedBytes == 256 || guest.display.frames[2].copiedBytes == 49152)
    #expect(guest.display.frames[2].damagedBounds == square)
    #expect(guest.display.pixel(guest.display.frames[2].bufferID, 8, 8) == 3)
  }

  @Test func `the flush of a mirrored blob waits for all its scanouts`() throws {
    let guest = try makeGuest(modes: 2)
    show(guest, 1, scanout: 0)
    show(guest, 1, scanout: 1)
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    #expect(guest.display.frames.map(\.scanout) == [0, 1])
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions.isEmpty)
    guest.showFrame(guest.display.frames[1])
    #expect(guest.completions == [token])
  }

  @Test func `without a free buffer the flush is answered at the late frame`() throws {
    let guest = try makeGuest()
    show(guest, 1)
    for fence in 1...4 { #expect(guest.token(flush(1, whole, fence: UInt64(fence))) != nil) }
    let token = try #require(guest.token(flush(1, whole, fence: 5)))
    #expect(guest.display.frames.count == 4)
    guest.device.frameDone(scanout: 0, frame: 1, outcome: .superseded, timeNanoseconds: 0)
    #expect(guest.display.frames.count == 5)
    #expect(!guest.completions.contains(token))
    guest.device.frameDone(scanout: 0, frame: 5, outcome: .flipped, timeNanoseconds: 0)
    #expect(guest.completions.last == token && guest.completions.count == 5)
  }

  @Test func `a picture may start at an offset inside a blob`() throws {
    let guest = try makeGuest()
    // 32 × 32 pixels from row 8 on, of a picture whose rows are 256 bytes apart and begin at byte 1024.
    for row in 0..<32 { guest.draw(UInt32(row), at: 1024 + (row + 8) * 256 + 16, rect: Rect(width: 32, height: 1)) }
    let source = Rect(x: 4, y: 8, width: 32, height: 32)
    let request = setScanoutBlob(0, 1, source, width: 64, height: 64, format: 134, stride: 256, offset: 1024)
    #expect(guest.type(request) == TestGuest.success)
    guest.type(flush(1, source))
    let pixels = guest.display.pixels(guest.display.lastBufferID)
    #expect(pixels == (0..<32).flatMap { row in [UInt32](repeating: UInt32(row), count: 32) })
  }

  @Test func `pages may be attached to a blob later`() throws {
    let guest = try makeGuest()
    #expect(guest.type(createBlob(3, size: 49152, [])) == TestGuest.success)
    show(guest, 3)
    #expect(guest.type(flush(3, whole)) == TestGuest.success)
    #expect(guest.display.frames.isEmpty)
    #expect(guest.type(attach(3, [(0, 4096)])) == 0x1205)
    #expect(guest.type(attach(3, [(0, 49152)])) == TestGuest.success)
    #expect(guest.type(flush(3, whole)) == TestGuest.success)
    #expect(guest.display.frames.count == 1)
    #expect(guest.type(detach(3)) == TestGuest.success)
    #expect(guest.type(flush(3, whole)) == TestGuest.success)
    #expect(guest.display.frames.count == 1)
  }

  @Test func `features that the next driver accepted survive a reset`() throws {
    let guest = try makeGuest()
    // QEMU's generic device sends the features of the next driver before its rings show the reset.
    guest.device.featuresAccepted(1 << 1 | 1 << 3)
    guest.device.reset()
    #expect(guest.type(createBlob(1, size: 49152, [(0, 49152)])) == TestGuest.success)
  }
}
