import Scanout
import TestSupport
import Testing
import VirtioGPU

/// Memory of this process counts towards the memory limit; the guest's own pages do not.
@Suite struct MemoryLimitTests {
  @Test func `an image's pixels in the guest's pages do not count`() throws {
    let guest = try TestGuest()
    // 8K, four buffers: 531 MB against a limit of 268 MB.
    for id in UInt32(1)...4 {
      #expect(guest.type(create2D(id, width: 7680, height: 4320)) == TestGuest.success)
    }
    // Three heads of 4K with a console and triple buffering: 12 images, 398 MB.
    for id in UInt32(5)...16 {
      #expect(guest.type(create2D(id, width: 3840, height: 2160)) == TestGuest.success)
    }
    #expect(guest.type(create2D(17, width: 16384, height: 16384)) == TestGuest.success)
  }

  @Test func `pages that are not shared are told once, with the property to set`() throws {
    let guest = try TestGuest()
    var reasons: [String] = []
    guest.device.onMissingMemory = { reasons.append($0) }
    guest.type(create2D(1, width: 64, height: 48))
    for _ in 0..<2 { #expect(guest.type(attach(1, [(0, 8192), (1 << 40, 4096)])) == 0x1200) }
    #expect(reasons.count == 1)
    #expect(reasons[0].contains("0x10000000000") && reasons[0].contains("share=on"))
    guest.makeImage(2, at: 0)
    guest.flip(2)
    #expect(guest.display.paths.last?.contains("share=on") == true)
  }

  @Test func `lists of pages count until the pages are detached`() throws {
    let guest = try TestGuest(configuration: DeviceConfiguration(memoryLimitBytes: 1 << 20))
    let list = [(UInt64, UInt32)](repeating: (0, 4096), count: 16384)
    for _ in 0..<3 {
      #expect(guest.type(create2D(1, width: 512, height: 512)) == TestGuest.success)
      #expect(guest.type(create2D(2, width: 512, height: 512)) == TestGuest.success)
      #expect(guest.type(attach(1, list)) == TestGuest.success)
      #expect(guest.type(attach(2, list)) == 0x1201)
      #expect(guest.type(unref(1)) == TestGuest.success)
      #expect(guest.type(attach(2, list)) == TestGuest.success)
      #expect(guest.type(unref(2)) == TestGuest.success)
    }
  }

  @Test func `small resources count until they are freed`() throws {
    let guest = try TestGuest(configuration: DeviceConfiguration(memoryLimitBytes: 3 << 20))
    let made = (1...5000).filter { guest.type(create2D(UInt32($0), width: 1, height: 1)) == TestGuest.success }
    #expect(made.count > 2000 && made.count < 3200)
    for id in made { guest.type(unref(UInt32(id))) }
    let again = (1...5000).filter { guest.type(create2D(UInt32($0), width: 1, height: 1)) == TestGuest.success }
    #expect(again.count == made.count)
  }

  @Test func `a private picture counts until all of the image is transferred again`() throws {
    let guest = try TestGuest(configuration: DeviceConfiguration(memoryLimitBytes: 60_000))
    for id in UInt32(1)...2 {
      guest.makeImage(id, at: 0)
      guest.type(transfer(id, whole))
    }
    // 49152 bytes each: room for one.
    #expect(guest.type(detach(1)) == TestGuest.success)
    guest.draw(1, at: 0)
    guest.flip(2)
    #expect(guest.type(detach(2)) == 0x1201)
    #expect(guest.display.disabled == [0], "pages that the guest takes back are not shown")
    #expect(guest.type(attach(1, [(0, 49152)])) == TestGuest.success)
    #expect(guest.type(transfer(1, whole)) == TestGuest.success)
    #expect(guest.type(attach(2, [(0, 49152)])) == TestGuest.success)
    #expect(guest.type(transfer(2, whole)) == TestGuest.success)
    #expect(guest.type(detach(2)) == TestGuest.success)
  }

  @Test func `a refusal is reported once, with its numbers, and stays a reason in status`() throws {
    let guest = try TestGuest(configuration: DeviceConfiguration(memoryLimitBytes: 4096))
    var reasons: [String] = []
    guest.device.onMemoryRefusal = { reasons.append($0) }
    guest.makeImage(1, at: 0)
    guest.flip(1)
    for id in UInt32(2)...9 { guest.type(create2D(id, width: 128, height: 96)) }
    #expect(
      reasons == ["the guest's graphics memory is at its limit: 1024 bytes refused, 3120 of 4096 bytes in use"])
    #expect(guest.display.paths.last?.contains(reasons[0]) == true)
    guest.flip(1)
    #expect(guest.display.paths.last?.contains(reasons[0]) == true)
  }
}
