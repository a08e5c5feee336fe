import Scanout
import TestSupport
import Testing
import VirtioGPU

/// The picture on screen when the guest's device stops and its memory gets other content.
@Suite struct StopTests {
  private static let secret: UInt32 = 0xBAD0_BAD0

  /// A guest whose blob 1 of colour 3 is on screen, from its own pages.
  private func makeGuest(_ configuration: DeviceConfiguration = DeviceConfiguration()) throws -> TestGuest {
    let guest = try TestGuest(blobs: true, configuration: configuration)
    guest.display.importRefusal = nil
    guest.type(createBlob(1, size: 49152, [(0, 49152)]))
    guest.type(createBlob(2, size: 49152, [(0x20000, 49152)]))
    DirectTests.show(guest, 1)
    guest.draw(3, at: 0)
    guest.type(flush(1, whole))
    guest.showFrame(guest.display.frames[0])
    #expect(guest.display.frames[0].path == .direct)
    return guest
  }

  /// Shows the last frame, and lets go of the one before it.
  private func showCopy(_ guest: TestGuest) {
    guest.showFrame(guest.display.frames[1], replacing: guest.display.frames[0].bufferID)
  }

  @Test func `a copy takes the place of the guest's pages when the device stops`() throws {
    let guest = try makeGuest()
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.device.isReadingGuestPages, "the display has not shown the copy yet")
    #expect(guest.display.frames.count == 2)
    #expect(guest.display.frames[1].path == .copy)
    showCopy(guest)
    #expect(!guest.device.isReadingGuestPages)
    guest.device.forgetGuestPages()
    #expect(guest.display.destroyed == [guest.display.frames[0].bufferID])
    guest.draw(Self.secret, at: 0)
    #expect(guest.lastPixels == [3])
    #expect(guest.display.paths.last?.contains("stopped") == true)
  }

  @Test func `the copy is of the frame on screen, not of the picture that was set last`() throws {
    let guest = try makeGuest()
    guest.draw(Self.secret, at: 0x20000)
    DirectTests.show(guest, 2)
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.lastPixels == [3])
  }

  @Test func `a presented frame that is not on screen yet is copied too`() throws {
    let guest = try makeGuest()
    guest.draw(4, at: 0x20000)
    DirectTests.show(guest, 2)
    guest.type(flush(2, whole))
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.display.frames.last?.path == .copy)
    #expect(guest.lastPixels == [4])
    #expect(guest.device.isReadingGuestPages)
    guest.device.frameDone(scanout: 0, frame: 2, outcome: .superseded, timeNanoseconds: 0)
    #expect(guest.device.isReadingGuestPages, "the first frame is still on screen")
    guest.showFrame(guest.display.frames[2], replacing: guest.display.frames[0].bufferID)
    #expect(!guest.device.isReadingGuestPages)
  }

  @Test func `the scanout is black while the display has no buffer for a copy, and then shows the copy`()
    throws
  {
    let guest = try makeGuest()
    guest.display.refusesBuffers = true
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.display.disabled == [0])
    #expect(guest.display.frames.count == 1)
    guest.draw(Self.secret, at: 0)
    guest.display.refusesBuffers = false
    guest.now += 1_000_000_000
    guest.device.timerFired(nowNanoseconds: guest.now)
    #expect(guest.display.frames.last?.path == .copy)
    #expect(guest.lastPixels == [3])
  }

  @Test func `a scanout without room for a private picture becomes black`() throws {
    let guest = try makeGuest(DeviceConfiguration(memoryLimitBytes: 40_000))
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.display.disabled == [0])
    #expect(guest.display.frames.count == 1)
  }

  @Test func `a copy that does not come on screen in time gives way to black, and is shown when the pages are free`()
    throws
  {
    let guest = try makeGuest()
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.display.frames.count == 2 && guest.device.isReadingGuestPages)
    guest.device.hideGuestPages()
    #expect(guest.display.disabled == [0])
    #expect(guest.device.isReadingGuestPages, "black is not on screen yet")
    guest.device.frameDone(scanout: 0, frame: 2, outcome: .superseded, timeNanoseconds: 0)
    guest.device.bufferReleased(guest.display.frames[0].bufferID)
    #expect(!guest.device.isReadingGuestPages)
    guest.device.forgetGuestPages()
    guest.draw(Self.secret, at: 0)
    #expect(guest.display.frames.count == 3 && guest.display.frames[2].path == .copy)
    #expect(guest.lastPixels == [3])
    guest.device.hideGuestPages()
    #expect(guest.display.disabled == [0], "nothing of the guest is on screen")
  }

  @Test func `a stopped device shows its private copy on a display that reconnects`() throws {
    let guest = try makeGuest()
    guest.device.stop(nowNanoseconds: guest.now)
    showCopy(guest)
    guest.device.forgetGuestPages()
    guest.draw(Self.secret, at: 0)
    guest.display.forgetBuffers()
    guest.device.displayLost()
    #expect(!guest.device.isReadingGuestPages)
    guest.device.displayRestored()
    #expect(guest.display.frames.last?.path == .copy)
    #expect(guest.lastPixels == [3])
    guest.device.memoryChanged()
    #expect(guest.lastPixels == [3])
  }

  @Test func `an image is shown from its private copy while the device is stopped`() throws {
    let guest = try TestGuest()
    guest.makeImage(1, at: 0)
    guest.draw(3, at: 0)
    guest.flip(1)
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.display.frames.count == 1, "a host buffer is on screen already")
    guest.draw(Self.secret, at: 0)
    guest.display.forgetBuffers()
    guest.device.displayLost()
    guest.device.displayRestored()
    #expect(guest.lastPixels == [3])
  }

  @Test func `the pages are imported again when the device restarts after a pause`() throws {
    let guest = try makeGuest()
    guest.device.stop(nowNanoseconds: guest.now)
    showCopy(guest)
    guest.device.forgetGuestPages()
    guest.device.restart()
    #expect(guest.display.importCount == 2)
    #expect(guest.display.frames.last?.path == .direct)
    #expect(guest.lastPixels == [3])
    #expect(guest.display.paths.last == "0 direct: ")
    guest.draw(5, at: 0)
    guest.type(flush(1, whole))
    #expect(guest.display.frames.last?.path == .direct)
  }

  @Test func `the screen is black at once after a known reset, and nothing is shown at the restart`() throws {
    let guest = try makeGuest()
    guest.device.stop(nowNanoseconds: guest.now)
    showCopy(guest)
    guest.device.forgetGuestPages()
    guest.device.reset()
    #expect(guest.display.disabled == [0])
    let count = guest.display.frames.count
    guest.device.restart()
    #expect(guest.display.frames.count == count)
    #expect(guest.display.buffers.isEmpty)
  }

  @Test func `a stopped screen becomes black after the configured time`() throws {
    let guest = try makeGuest(DeviceConfiguration(stoppedBlankNanoseconds: 2_000_000_000))
    guest.device.stop(nowNanoseconds: guest.now)
    showCopy(guest)
    guest.device.forgetGuestPages()
    #expect(guest.device.nextDeadline == guest.now + 2_000_000_000)
    guest.device.timerFired(nowNanoseconds: guest.now + 1_999_999_999)
    #expect(guest.display.disabled.isEmpty)
    guest.device.timerFired(nowNanoseconds: guest.now + 2_000_000_000)
    #expect(guest.display.disabled == [0])
    guest.device.restart()
    #expect(guest.display.frames.last?.path == .direct)
  }

  @Test func `stops and restarts do not use up the memory limit`() throws {
    let guest = try makeGuest(DeviceConfiguration(memoryLimitBytes: 60_000))
    for round in 0..<5 {
      guest.device.stop(nowNanoseconds: guest.now)
      #expect(guest.display.frames.last?.path == .copy, "round \(round)")
      guest.device.forgetGuestPages()
      guest.device.restart()
      #expect(guest.display.frames.last?.path == .direct, "round \(round)")
      for frame in guest.display.frames { guest.showFrame(frame, replacing: frame.bufferID) }
    }
  }
}
