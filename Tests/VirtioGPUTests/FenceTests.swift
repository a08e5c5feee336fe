import Scanout
import TestSupport
import Testing
import VirtioGPU

/// The order and time of the fences of a guest whose pages are on screen.
@Suite struct FenceTests {
  /// Shows blob 1, then presents blob 2; returns the token of the second flush.
  private func flipTwice(_ guest: TestGuest) throws -> UInt64 {
    DirectTests.show(guest, 1)
    let first = try #require(guest.token(flush(1, whole, fence: 1)))
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions == [first])
    DirectTests.show(guest, 2)
    return try #require(guest.token(flush(2, whole, fence: 2)))
  }

  @Test func `a flush waits until the previous pages are no longer read`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    guest.showFrame(guest.display.frames[1])
    #expect(guest.completions.last != second, "blob 1 may still be read")
    guest.device.bufferReleased(guest.display.frames[0].bufferID)
    #expect(guest.completions.last == second)
    #expect(guest.device.nextDeadline == nil)
  }

  @Test func `a flush of the buffer on screen is answered at its flip`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    for fence in 1...5 {
      let square = Rect(x: fence, y: 0, width: 8, height: 8)
      let token = try #require(guest.token(flush(1, fence == 1 ? whole : square, fence: UInt64(fence))))
      let frame = try #require(guest.display.frames.last)
      #expect(frame.damagedBounds == (fence == 1 ? whole : square))
      #expect(guest.completions.last != token)
      guest.showFrame(frame)
      #expect(guest.completions.last == token)
    }
    #expect(guest.display.importCount == 1)
  }

  @Test func `a flush never waits longer than the guest does`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    guest.showFrame(guest.display.frames[1])
    #expect(guest.device.nextDeadline == guest.now + 45_000_000)
    guest.device.timerFired(nowNanoseconds: guest.now + 45_000_000)
    #expect(guest.completions.last == second)
  }

  @Test func `the flush of a replaced frame is held until the newer frame is on screen`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    guest.type(createBlob(3, size: 49152, [(0x40000, 49152)]))
    DirectTests.show(guest, 3)
    let third = try #require(guest.token(flush(3, whole, fence: 3)))
    guest.device.frameDone(scanout: 0, frame: 2, outcome: .superseded, timeNanoseconds: 0)
    guest.device.bufferReleased(guest.display.frames[1].bufferID)
    #expect(guest.completions.count == 1, "blob 1 is on screen; the guest may draw there when it has its answer")
    guest.showFrame(guest.display.frames[2], replacing: guest.display.frames[0].bufferID)
    #expect(guest.completions.suffix(2) == [second, third])
  }

  @Test func `the flush of a rejected frame is answered`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    guest.device.frameDone(scanout: 0, frame: 2, outcome: .rejected, timeNanoseconds: 0)
    #expect(guest.completions.last == second)
  }

  @Test func `a later fence never overtakes an earlier one`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    let before = guest.completions.count
    // A cursor image, fenced: Linux waits for it without a timeout.
    let cursor = try #require(guest.token(transfer(1, Rect(width: 64, height: 64), fence: 3)))
    #expect(guest.type(transfer(1, Rect(width: 64, height: 64))) == TestGuest.success, "no fence, no waiting")
    let failed = try #require(guest.token(flush(99, whole, fence: 4)))
    guest.showFrame(guest.display.frames[1])
    #expect(guest.completions.count == before)
    guest.device.bufferReleased(guest.display.frames[0].bufferID)
    #expect(guest.completions.dropFirst(before) == [second, cursor, failed])
    #expect(guest.type(transfer(1, Rect(width: 64, height: 64), fence: 5)) == TestGuest.success)
  }

  @Test func `commands queued behind a flush are answered with it`() throws {
    let guest = try DirectTests.makeGuest()
    let second = try flipTwice(guest)
    guest.now += 40_000_000
    let cursor = try #require(guest.token(transfer(1, Rect(width: 64, height: 64), fence: 3)))
    guest.device.timerFired(nowNanoseconds: guest.now + 5_000_000)
    #expect(guest.completions.suffix(2) == [second, cursor])
  }

  @Test func `the fence order of several heads is kept`() throws {
    let guest = try DirectTests.makeGuest(modes: 2)
    DirectTests.show(guest, 1, scanout: 0)
    DirectTests.show(guest, 2, scanout: 1)
    let left = try #require(guest.token(flush(1, whole, fence: 1)))
    let right = try #require(guest.token(flush(2, whole, fence: 2)))
    guest.showFrame(guest.display.frames[1])
    #expect(guest.completions.isEmpty, "fence 2 would say that fence 1 is done")
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions == [left, right])
  }

  @Test func `each fence ring has its own order`() throws {
    let guest = try DirectTests.makeGuest(modes: 2)
    DirectTests.show(guest, 1, scanout: 0)
    DirectTests.show(guest, 2, scanout: 1)
    let left = try #require(guest.token(flush(1, whole, fence: 1)))
    var request = flush(2, whole, fence: 1)
    request.replaceSubrange(4..<8, with: bytes(UInt32(3)))
    request[20] = 1
    let right = try #require(guest.token(request))
    guest.showFrame(guest.display.frames[1])
    #expect(guest.completions == [right])
    guest.showFrame(guest.display.frames[0])
    #expect(guest.completions == [right, left])
  }

  @Test func `all answers come in order when the guest has too many outstanding`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    var tokens: [UInt64] = []
    for fence in 1...256 { tokens.append(try #require(guest.token(flush(1, whole, fence: UInt64(fence))))) }
    #expect(guest.completions.isEmpty)
    let last = try #require(guest.token(flush(1, whole, fence: 257)))
    #expect(guest.completions == tokens)
    guest.showFrame(try #require(guest.display.frames.last))
    #expect(guest.completions.last == last)
  }

  @Test func `a reset drops all outstanding answers`() throws {
    let guest = try DirectTests.makeGuest()
    _ = try flipTwice(guest)
    let before = guest.completions
    guest.device.reset()
    guest.device.timerFired(nowNanoseconds: guest.now + 1_000_000_000)
    #expect(guest.completions == before)
    #expect(guest.device.nextDeadline == nil)
  }
}
