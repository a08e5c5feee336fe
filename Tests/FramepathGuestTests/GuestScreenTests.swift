import CFramepathABI
import Foundation
import FramepathGuest
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout
import Synchronization
import Testing

@Suite struct GuestScreenTests {
  @Test func `frames pass from the library to a host, whole and in order`() throws {
    let host = try EchoHost()
    host.start()
    defer { host.stop() }
    let screen = try GuestScreen(.file(host.path))
    #expect(screen.output == RegionOutput(width: 64, height: 32, refreshMillihertz: 60_000))
    let layout = try #require(screen.layout(width: 64, height: 32))
    for number in 1...500 {
      let slot = try screen.acquire()
      let pixels = slot.pixels.bindMemory(to: UInt32.self)
      for index in 0..<64 * 32 { pixels[index] = UInt32(number) }
      #expect(try screen.present(slot, layout) == UInt64(number))
    }
    try screen.waitUntilHeld()
    #expect(screen.flippedCount == 500)
    #expect(host.goodFrames.load(ordering: .relaxed) == 500)
    #expect(screen.refusalCount == 0)
  }

  @Test func `frames pass from the C functions to a host, whole and in order`() throws {
    let host = try EchoHost()
    host.start()
    defer { host.stop() }
    var screen = framepath_screen()
    try #require(framepath_screen_open_memory(&screen, host.host.fd.raw, nil, 5000) == 0)
    var width: UInt32 = 0
    var height: UInt32 = 0
    var refresh: UInt32 = 0
    framepath_screen_mode(&screen, &width, &height, &refresh)
    #expect(width == 64 && height == 32 && refresh == 60_000)
    for number in 1...500 as ClosedRange<UInt32> {
      let slot = framepath_screen_acquire(&screen, 5000)
      let pixels = try #require(framepath_screen_pixels(&screen, slot)).assumingMemoryBound(to: UInt32.self)
      for index in 0..<64 * 32 { pixels[index] = number }
      var damage = framepath_region_rect(x: 0, y: 0, width: 64, height: 32)
      #expect(
        framepath_screen_present(&screen, slot, 64, 32, 256, PixelFormat.xrgb8888.fourcc, &damage, 1) == 0)
    }
    let end = monotonicNanoseconds() + 20_000_000_000
    while screen.flipped < 500, monotonicNanoseconds() < end {
      framepath_screen_read_events(&screen)
      usleep(100)
    }
    #expect(screen.flipped == 500 && screen.failed == 0)
    #expect(host.goodFrames.load(ordering: .relaxed) == 500)
    #expect(framepath_screen_present(&screen, 9, 64, 32, 256, 0, nil, 0) == -EINVAL)
    framepath_screen_close(&screen)
  }

  @Test func `both libraries wait for an output that comes after the host has accepted the client`() throws {
    let host = try EchoHost(hasOutput: false)
    host.start()
    defer { host.stop() }
    var screen = framepath_screen()
    try #require(framepath_screen_open_memory(&screen, host.host.fd.raw, nil, 5000) == 0)
    var mode: (width: UInt32, height: UInt32, refresh: UInt32) = (1, 1, 1)
    #expect(framepath_screen_wait_mode(&screen, &mode.width, &mode.height, &mode.refresh, 1) == -ETIMEDOUT)
    #expect(mode.width == 0)
    framepath_screen_close(&screen)
    let guest = try GuestScreen(.file(host.path))
    #expect(guest.output == nil)
    #expect(throws: GuestError.timedOut) { try guest.waitForOutput(timeoutMilliseconds: 1) }
    host.offerOutput()
    #expect(try guest.waitForOutput() == RegionOutput(width: 64, height: 32, refreshMillihertz: 60_000))
    var second = framepath_screen()
    try #require(framepath_screen_open_memory(&second, host.host.fd.raw, nil, 5000) == 0)
    #expect(framepath_screen_wait_mode(&second, &mode.width, &mode.height, &mode.refresh, 5000) == 0)
    #expect(mode == (64, 32, 60_000))
    framepath_screen_close(&second)
  }

  @Test func `a second client on the machine is refused, and accepted when the first ends`() throws {
    let host = try EchoHost()
    host.start()
    defer { host.stop() }
    var first: GuestScreen? = try GuestScreen(.file(host.path))
    #expect(first?.slotCount == 3)
    #expect(throws: GuestError.busy(host.path)) { try GuestScreen(.file(host.path)) }
    first = nil
    _ = try GuestScreen(.file(host.path))
  }

  @Test func `a displaced client gets an error`() throws {
    let host = try EchoHost()
    host.start()
    defer { host.stop() }
    let screen = try GuestScreen(.file(host.path))
    let slot = try screen.acquire()
    var intruder = framepath_screen()
    try #require(framepath_screen_open_memory(&intruder, host.host.fd.raw, nil, 5000) == 0)
    let layout = try #require(screen.layout(width: 64, height: 32))
    #expect(throws: GuestError.displaced) { try screen.present(slot, layout) }
    framepath_screen_close(&intruder)
  }

  @Test func `a host that never reads the ring is an error after a bounded time`() throws {
    let host = try EchoHost()
    #expect(throws: GuestError.hostSilent) { try GuestScreen(.file(host.path), timeoutMilliseconds: 30) }
    var screen = framepath_screen()
    #expect(framepath_screen_open_memory(&screen, host.host.fd.raw, nil, 30) == -EHOSTDOWN)
  }

  @Test func `slots that are not released are an error after a bounded time`() throws {
    let host = try EchoHost(slotCount: 2)
    host.start()
    defer { host.stop() }
    let screen = try GuestScreen(.file(host.path))
    _ = try screen.acquire()
    _ = try screen.acquire()
    #expect(throws: GuestError.timedOut) { try screen.acquire(timeoutMilliseconds: 20) }
  }

  @Test(arguments: [(8, UInt32(2 << 16), -EPROTONOSUPPORT), (0, 0, -ENXIO), (48, 0, -EBADMSG), (60, 31, -EBADMSG)])
  func `both libraries refuse a region of another version or with impossible numbers`(
    offset: Int, value: UInt32, expected: Int32
  ) throws {
    let host = try EchoHost()
    let raw = try Mapping(fd: host.host.fd.raw, byteCount: 4096)
    raw.base.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
    var screen = framepath_screen()
    #expect(framepath_screen_open_memory(&screen, host.host.fd.raw, nil, 30) == expected)
    #expect(throws: GuestError.self) { try GuestScreen(.file(host.path), timeoutMilliseconds: 30) }
  }

  @Test func `the ivshmem devices of a bus are found, with and without doorbells`() throws {
    let root = NSTemporaryDirectory() + "framepath-pci-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    func add(_ name: String, _ files: [String: String]) throws {
      try FileManager.default.createDirectory(atPath: "\(root)/\(name)", withIntermediateDirectories: true)
      for (file, text) in files {
        try text.write(toFile: "\(root)/\(name)/\(file)", atomically: false, encoding: .utf8)
      }
    }
    let none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    let bar = "0x00000000febd1000 0x00000000febd1fff 0x0000000000040200\n"
    try add("0000:00:01.0", ["vendor": "0x1af4\n", "device": "0x1050\n"])
    try add("0000:00:03.0", ["vendor": "0x1af4\n", "device": "0x1110\n", "resource": bar + bar + bar])
    try add("0000:00:02.0", ["vendor": "0x1af4\n", "device": "0x1110\n", "resource": bar + none + bar])
    let devices = PCIDevice.all(root: root)
    #expect(devices.map(\.address) == ["0000:00:02.0", "0000:00:03.0"])
    #expect(devices.map(\.hasDoorbell) == [false, true])
  }
}
