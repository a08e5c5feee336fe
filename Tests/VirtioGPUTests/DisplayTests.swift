import Scanout
import TestSupport
import Testing
import VirtioGPU

/// The display disconnects and reconnects; the guest does not notice it.
@Suite struct DisplayTests {
  @Test func `every scanout is shown again after the display reconnects`() throws {
    let guest = try TestGuest(blobs: true)
    guest.makeImage(1, at: 0)
    guest.draw(1, at: 0)
    guest.flip(1)
    guest.makeImage(3, at: 0x30000, width: 64, height: 64, format: 1)
    guest.type(transfer(3, Rect(width: 64, height: 64), stride: 256))
    guest.cursor(updateCursor(0, 3, x: 5, y: 6))
    guest.display.forgetBuffers()
    guest.device.displayLost()
    let made = guest.display.requestCount
    guest.draw(2, at: 0)
    guest.flip(1)
    guest.cursor(updateCursor(0, 3, x: 9, y: 9, type: 0x0301))
    #expect(guest.display.frames.count == 1 && guest.display.requestCount == made && guest.display.cursors.count == 1)
    guest.device.displayRestored()
    #expect(guest.display.frames.count == 2)
    #expect(guest.lastPixels == [2])
    #expect(guest.display.frames[1].damagedBounds == whole)
    #expect(guest.display.cursors.last?.x == 9)
    #expect(guest.display.cursors.last?.bufferID.map { guest.display.buffers[$0] != nil } == true)
    #expect(guest.display.paths.count == 2)
  }

  @Test func `flushes are answered at the last monitor's rate while the display is disconnected`() throws {
    let guest = try TestGuest(blobs: true)
    guest.type(createBlob(1, size: 49152, [(0, 49152)]))
    guest.type(setScanoutBlob(0, 1, whole, width: 128, height: 96, stride: 512))
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    guest.device.displayLost()
    #expect(guest.completions == [token])
    let period: UInt64 = 16_666_666
    for _ in 0..<3 {
      let next = try #require(guest.token(flush(1, whole, fence: 2)))
      let vblank = (guest.now / period + 1) * period
      #expect(guest.device.nextDeadline == vblank)
      guest.device.timerFired(nowNanoseconds: vblank - 1)
      #expect(guest.completions.last != next)
      guest.device.timerFired(nowNanoseconds: vblank)
      #expect(guest.completions.last == next)
      guest.now = vblank
    }
    guest.device.displayRestored()
    #expect(guest.display.frames.count == 2)
    #expect(guest.token(flush(1, whole, fence: 3)) != nil)
    #expect(guest.device.nextDeadline == guest.now + 45_000_000)
  }

  @Test func `a picture without pages survives a restart of the display`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.draw(4, at: 0)
    guest.flip(1)
    guest.type(detach(1))
    guest.draw(5, at: 0)
    guest.display.forgetBuffers()
    guest.device.displayLost()
    guest.device.displayRestored()
    #expect(guest.lastPixels == [4])
  }

  @Test func `a scanout is shown again on another output`() throws {
    let mode = DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000)
    let guest = try TestGuest(modes: [mode, mode])
    guest.makeImage(1, at: 0)
    guest.flip(1)
    guest.flip(1, scanout: 1)
    let before = guest.display.frames.count
    guest.device.buffersLost(scanout: 1)
    #expect(guest.display.frames.count == before + 1)
    #expect(guest.display.frames.last?.scanout == 1)
    guest.device.buffersLost(scanout: 7)
  }

  @Test func `a refused buffer is requested again`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.display.refusesBuffers = true
    for _ in 0..<10 { guest.flip(1) }
    #expect(guest.display.requestCount == 1, "one question is enough for a while")
    #expect(guest.device.nextDeadline == guest.now + 100_000_000)
    guest.display.refusesBuffers = false
    guest.draw(8, at: 0)
    guest.device.timerFired(nowNanoseconds: guest.now + 100_000_000)
    #expect(guest.display.frames.count == 1)
    #expect(guest.lastPixels == [8])
    #expect(guest.device.nextDeadline == nil)
  }

  @Test func `buffers are requested again when the heads change`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.display.refusesBuffers = true
    guest.flip(1)
    guest.display.refusesBuffers = false
    guest.device.headsChanged()
    #expect(guest.display.frames.count == 1)
  }

  @Test func `the guest is notified of a new mode`() throws {
    let guest = try TestGuest()
    guest.display.heads[0]?.mode = DisplayMode(width: 1280, height: 720, refreshMillihertz: 50_000)
    guest.device.headsChanged()
    let info = try #require(guest.send(header(0x0100)))
    #expect(guest.word(info, 32) == 1280 && guest.word(info, 36) == 720)
    let edid = try #require(guest.send(header(0x010A) + [0, 0, 0, 0, 0, 0, 0, 0]))
    #expect(EDID.preferredMode(of: Array(edid[32..<160]))?.height == 720)
  }

  @Test func `a release that crosses a new present does not free a buffer`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.makeImage(2, at: 0x20000)
    guest.flip(1)
    guest.showFrame(guest.display.frames[0])
    guest.flip(2)
    // Image 1 again, unchanged: its buffer is presented again while the display releases it.
    guest.type(setScanout(0, 1, whole))
    guest.type(flush(1, whole))
    let again = guest.display.frames[2].bufferID
    #expect(again == guest.display.frames[0].bufferID)
    guest.showFrame(guest.display.frames[1], replacing: again)
    guest.draw(9, at: 0x20000)
    guest.type(transfer(2, whole))
    #expect(Set(guest.display.pixels(again)) == [0])
    guest.showFrame(guest.display.frames[2], replacing: guest.display.frames[1].bufferID)
  }
}
