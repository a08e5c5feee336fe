import GraphicsMemory
import GuestMemory
import Scanout
import TestSupport
import Testing
import VirtioGPU

/// Scan-out of the guest's own pages: the imports, and the fallback when one is refused.
@Suite struct DirectTests {
  /// A guest with blobs 1 and 2 of 128 × 96 pixels, whose display imports.
  static func makeGuest(
    modes: Int = 1, policy: PathPolicy = .auto, regionCount: Int = 1, refusal: String? = nil
  ) throws -> TestGuest {
    let mode = DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000)
    let guest = try TestGuest(
      modes: [DisplayMode](repeating: mode, count: modes), regionCount: regionCount, blobs: true,
      configuration: DeviceConfiguration(pathPolicy: policy))
    guest.display.importRefusal = refusal
    #expect(guest.type(createBlob(1, size: 49152, [(0, 0x8000), (0x8000, 0x4000)])) == TestGuest.success)
    #expect(guest.type(createBlob(2, size: 49152, [(0x20000, 49152)])) == TestGuest.success)
    return guest
  }

  static func show(_ guest: TestGuest, _ id: UInt32, scanout: UInt32 = 0) {
    #expect(guest.type(setScanoutBlob(scanout, id, whole, width: 128, height: 96, stride: 512)) == TestGuest.success)
  }

  @Test func `the guest's own pages are shown`() throws {
    let guest = try DirectTests.makeGuest()
    guest.draw(5, at: 0)
    DirectTests.show(guest, 1)
    #expect(guest.display.importCount == 1)
    #expect(guest.display.paths == ["0 direct: "])
    guest.type(flush(1, whole))
    let frame = try #require(guest.display.frames.last)
    #expect(frame.path == .direct && frame.copiedBytes == 0)
    #expect(guest.display.imports == [frame.bufferID])
    #expect(frame.damagedBounds == whole && frame.source == whole)
    #expect(guest.lastPixels == [5])
    guest.draw(6, at: 0)
    #expect(guest.lastPixels == [6], "nothing was copied")
    #expect(guest.device.ledger == CopyLedger())
    #expect(guest.display.requestCount == 0)
    // Two adjacent entries become one range.
    #expect(guest.display.importedRanges.map(\.byteCount) == [49152])
  }

  @Test func `each picture is imported once`() throws {
    let guest = try DirectTests.makeGuest()
    for round in 0..<40 {
      DirectTests.show(guest, UInt32(round % 2 + 1))
      guest.type(flush(UInt32(round % 2 + 1), whole))
    }
    #expect(guest.display.importCount == 2)
    #expect(Set(guest.display.frames.map(\.bufferID)) == Set(guest.display.imports))
    #expect(guest.display.paths.count == 1)
  }

  @Test func `only the pages of the picture are imported`() throws {
    let guest = try DirectTests.makeGuest(regionCount: 7)
    guest.type(createBlob(3, size: 0x40000, [(0x100000, 0x10000), (0x180000, 0x30000)]))
    for row in 0..<32 { guest.draw(UInt32(row), at: 0x188000 + 64 + row * 1000, rect: Rect(width: 32, height: 1)) }
    let source = Rect(x: 4, y: 0, width: 28, height: 32)
    let offset = UInt32(0x18000 + 64)
    guest.type(setScanoutBlob(0, 3, source, width: 32, height: 32, stride: 1000, offset: offset))
    guest.type(flush(3, Rect(width: 32, height: 32)))
    #expect(guest.display.importedRanges.map(\.byteCount).reduce(0, +) == 0x8000)
    #expect(guest.display.importedLayout?.offset == 64)
    let frame = try #require(guest.display.frames.last)
    #expect(frame.source == source && frame.damagedBounds == source)
    #expect(guest.display.pixels(frame.bufferID) == (0..<32).flatMap { [UInt32](repeating: $0, count: 32) })
  }

  @Test func `an import crosses from one memory region into the next`() throws {
    // Regions of 0x92000 bytes, the last one longer; the blob crosses the first border.
    let guest = try DirectTests.makeGuest(regionCount: 7)
    let border = (1 << 22) / 7 / 4096 * 4096
    guest.type(createBlob(3, size: 49152, [(UInt64(border) - 8192, 49152)]))
    DirectTests.show(guest, 3)
    // A border inside a page cannot be imported, any other can.
    #expect(guest.display.paths == ["0 copy: its guest memory is not whole pages"])
    let other = try DirectTests.makeGuest(regionCount: 4)
    other.type(createBlob(3, size: 49152, [(0x100000 - 8192, 49152)]))
    other.draw(4, at: 0x100000 - 8192)
    DirectTests.show(other, 3)
    other.type(flush(3, whole))
    #expect(other.display.paths == ["0 direct: "])
    #expect(other.lastPixels == [4])
    #expect(other.display.importedRanges.map(\.byteCount) == [49152], "one file, one range")
  }

  @Test func `a picture that the display refuses is copied, and the reason is reported`() throws {
    let guest = try DirectTests.makeGuest(refusal: "pitch 512 not accepted")
    for round in 0..<10 {
      DirectTests.show(guest, UInt32(round % 2 + 1))
      guest.draw(UInt32(round), at: round % 2 == 0 ? 0 : 0x20000)
      guest.type(flush(UInt32(round % 2 + 1), whole))
      #expect(guest.lastPixels == [UInt32(round)])
      if let frame = guest.display.frames.last { guest.showFrame(frame) }
      if round > 0 { guest.device.bufferReleased(guest.display.frames[round - 1].bufferID) }
    }
    #expect(guest.display.importCount == 2, "the same question is asked once")
    #expect(guest.display.frames.allSatisfy { $0.path == .copy && $0.copiedBytes == 49152 })
    #expect(guest.display.paths == ["0 copy: pitch 512 not accepted"])
    // Another output may accept it.
    guest.display.importRefusal = nil
    guest.device.headsChanged()
    DirectTests.show(guest, 1)
    guest.type(flush(1, whole))
    #expect(guest.display.frames.last?.path == .direct)
    #expect(guest.display.paths.last == "0 direct: ")
  }

  @Test func `pages that are not whole are copied`() throws {
    let guest = try DirectTests.makeGuest()
    guest.type(createBlob(3, size: 49152, [(0x40000, 100), (0x50000, 49152)]))
    DirectTests.show(guest, 3)
    guest.type(createBlob(4, size: 49152, [(0x40010, 49152)]))
    DirectTests.show(guest, 4)
    #expect(guest.display.importCount == 0)
    #expect(guest.display.paths == ["0 copy: its guest memory is not whole pages"])
  }

  @Test func `an import that the display did not answer is requested again`() throws {
    let guest = try DirectTests.makeGuest()
    guest.display.isImportUnavailable = true
    DirectTests.show(guest, 1)
    for _ in 0..<5 { guest.type(flush(1, whole)) }
    #expect(guest.display.importCount == 1)
    #expect(guest.display.paths == ["0 copy: no answer"])
    guest.display.isImportUnavailable = false
    guest.now += 500_000_000
    guest.type(flush(1, whole))
    #expect(guest.display.importCount == 2)
    #expect(guest.display.frames.last?.path == .direct)
  }

  @Test func `nothing is imported with the copy policy`() throws {
    let guest = try DirectTests.makeGuest(policy: .copy)
    DirectTests.show(guest, 1)
    guest.type(flush(1, whole))
    #expect(guest.display.importCount == 0)
    #expect(guest.display.paths == ["0 copy: the policy is to copy"])
  }

  @Test func `pages are imported again after the memory table changes`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    guest.type(flush(1, whole))
    guest.showFrame(guest.display.frames[0])
    // The same addresses, other memory.
    let other = try GuestRAM(byteCount: 1 << 22)
    try guest.memory.replaceRegions([try other.region()])
    guest.device.memoryChanged()
    #expect(guest.display.destroyed == [guest.display.frames[0].bufferID])
    other.bytes.storeBytes(of: 0x77, toByteOffset: 0, as: UInt32.self)
    guest.type(flush(1, whole))
    #expect(guest.display.importCount == 2)
    #expect(guest.display.pixel(guest.display.lastBufferID, 0, 0) == 0x77)
    // No memory at all: nothing is shown, and nothing traps.
    try guest.memory.replaceRegions([])
    guest.device.memoryChanged()
    #expect(guest.type(flush(1, whole)) == TestGuest.success)
    #expect(guest.display.frames.count == 2)
  }

  @Test func `pages are imported again after the display reconnects`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    guest.draw(3, at: 0)
    let token = try #require(guest.token(flush(1, whole, fence: 1)))
    guest.display.forgetBuffers()
    guest.device.displayLost()
    #expect(guest.completions == [token])
    guest.device.displayRestored()
    #expect(guest.display.importCount == 2 && guest.display.frames.count == 2)
    #expect(guest.display.frames[1].path == .direct)
    #expect(guest.lastPixels == [3])
    #expect(guest.display.paths == ["0 direct: ", "0 direct: "])
    guest.display.forgetBuffers(scanout: 0)
    guest.device.buffersLost(scanout: 0)
    #expect(guest.display.importCount == 3 && guest.display.frames.count == 3)
  }

  @Test func `pages on screen are copied when their backing is detached`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    guest.draw(3, at: 0)
    guest.type(flush(1, whole))
    let shown = guest.display.frames[0]
    guest.showFrame(shown)
    let answer = try #require(guest.token(detach(1)))
    #expect(guest.display.frames.count == 2)
    #expect(guest.display.frames[1].path == .copy)
    #expect(guest.display.destroyed.isEmpty && guest.completions.isEmpty, "the pages are still on screen")
    guest.showFrame(guest.display.frames[1], replacing: shown.bufferID)
    #expect(guest.completions == [answer])
    #expect(guest.display.destroyed == [shown.bufferID])
    guest.draw(4, at: 0)
    #expect(guest.lastPixels == [3])
    // Other pages, another import.
    #expect(guest.type(attach(1, [(0x20000, 49152)])) == TestGuest.success)
    guest.type(flush(1, whole))
    #expect(guest.display.frames.last?.path == .direct)
  }

  @Test func `the import of a destroyed resource is dropped`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    guest.type(flush(1, whole))
    let frame = guest.display.frames[0]
    let answer = try #require(guest.token(unref(1)))
    #expect(guest.display.disabled == [0])
    #expect(guest.completions.isEmpty, "the display may show the frame before it is blank")
    guest.showFrame(frame)
    #expect(guest.completions.isEmpty && guest.device.isReadingGuestPages)
    guest.device.bufferReleased(frame.bufferID)
    #expect(guest.completions == [answer] && !guest.device.isReadingGuestPages)
    #expect(guest.display.buffers.isEmpty)
    // Another resource with the same id.
    guest.type(createBlob(1, size: 49152, [(0x20000, 49152)]))
    DirectTests.show(guest, 1)
    #expect(guest.display.importCount == 2)
    guest.device.reset()
    #expect(guest.display.buffers.isEmpty)
  }

  @Test
  func `a guest that destroys an image on screen is answered at the end of its patience, at a reset and at a loss`()
    throws
  {
    func destroyed() throws -> (TestGuest, UInt64) {
      let guest = try DirectTests.makeGuest()
      DirectTests.show(guest, 1)
      guest.type(flush(1, whole))
      guest.showFrame(guest.display.frames[0])
      return (guest, try #require(guest.token(unref(1))))
    }
    // A display that hangs.
    var (guest, answer) = try destroyed()
    #expect(guest.device.nextDeadline == guest.now + 1_000_000_000)
    guest.device.timerFired(nowNanoseconds: guest.now + 999_999_999)
    #expect(guest.completions.isEmpty)
    guest.device.timerFired(nowNanoseconds: guest.now + 1_000_000_000)
    #expect(guest.completions == [answer])
    #expect(guest.device.isReadingGuestPages && guest.device.nextDeadline == nil, "the display may still read them")
    guest.device.bufferReleased(guest.display.frames[0].bufferID)
    #expect(guest.completions == [answer] && !guest.device.isReadingGuestPages)

    (guest, answer) = try destroyed()
    guest.device.displayLost()
    #expect(guest.completions == [answer] && guest.device.nextDeadline == nil)

    (guest, answer) = try destroyed()
    guest.device.buffersLost(scanout: 0)
    #expect(guest.completions == [answer])

    (guest, answer) = try destroyed()
    guest.device.stop(nowNanoseconds: guest.now)
    #expect(guest.completions.isEmpty && guest.device.isReadingGuestPages)
    guest.device.forgetGuestPages()
    #expect(guest.completions == [answer] && guest.display.buffers.isEmpty)

    (guest, answer) = try destroyed()
    guest.device.reset()
    #expect(guest.completions.isEmpty && guest.display.buffers.isEmpty && !guest.device.isReadingGuestPages)
  }

  @Test func `a fenced command is not answered out of order, and waits for nothing`() throws {
    let guest = try DirectTests.makeGuest()
    DirectTests.show(guest, 1)
    guest.type(flush(1, whole))
    guest.showFrame(guest.display.frames[0])
    var fenced = unref(1)
    fenced[4] = 1
    #expect(guest.type(fenced) == TestGuest.success)
  }

  @Test func `the number of imports is bounded`() throws {
    let guest = try DirectTests.makeGuest()
    for id in UInt32(3)..<40 {
      guest.type(createBlob(id, size: 49152, [(UInt64(id) << 16, 49152)]))
      DirectTests.show(guest, id)
      guest.type(flush(id, whole))
      if let frame = guest.display.frames.last { guest.showFrame(frame) }
      if id > 3 { guest.device.bufferReleased(guest.display.imports[Int(id) - 4]) }
    }
    #expect(guest.display.importCount == 37)
    #expect(guest.display.buffers.count == 16)
    #expect(guest.display.buffers[guest.display.lastBufferID] != nil)
  }

  @Test func `2D resources are shown directly only with the direct policy`() throws {
    let guest = try DirectTests.makeGuest(policy: .direct)
    guest.makeImage(5, at: 0x40000)
    guest.draw(1, at: 0x40000)
    guest.flip(5)
    #expect(guest.display.frames.last?.path == .direct)
    #expect(guest.device.ledger.copiedBytes == 0)
    let square = Rect(x: 4, y: 5, width: 6, height: 7)
    guest.draw(2, at: 0x40000, rect: square)
    guest.type(transfer(5, square))
    guest.type(flush(5, square))
    let frame = try #require(guest.display.frames.last)
    #expect(frame.damagedBounds == square)
    #expect(guest.display.pixel(frame.bufferID, 5, 6) == 2)
    // Detached while on screen: the picture stays, and the guest may reuse the pages.
    let answer = try #require(guest.token(detach(5)))
    let copy = try #require(guest.display.frames.last)
    for earlier in guest.display.frames.dropLast() { guest.showFrame(earlier) }
    guest.showFrame(copy, replacing: frame.bufferID)
    #expect(guest.completions == [answer])
    guest.draw(9, at: 0x40000)
    #expect(copy.path == .copy && copy.frame == 3)
    #expect(guest.display.pixel(copy.bufferID, 5, 6) == 2 && guest.display.pixel(copy.bufferID, 0, 0) == 1)
    let auto = try DirectTests.makeGuest()
    auto.makeImage(5, at: 0x40000)
    auto.flip(5)
    #expect(auto.display.importCount == 0)
  }
}
