import GuestMemory
import LinuxIO
import TestSupport
import Testing
import VhostUser
import Virtio

@Suite(.timeLimit(.minutes(1)))
struct SessionTests {
  @Test func `a complete device starts in QEMU's order, and serves requests`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    #expect(harness.frontend.offeredFeatures == 0x1_7000_000b)
    #expect(harness.frontend.protocolFeatures.rawValue == 0xa229)

    try harness.frontend.start()
    #expect(try harness.roundTrip([1, 2, 3]) == [2, 3, 4])
    #expect(try harness.roundTrip([4], indirect: true) == [5])

    let result = harness.close()
    #expect(result.end == .closed)
    #expect(result.events == ["features 13000000b", "memory", "start 0", "start 1", "stop 0", "stop 1"])
  }

  @Test(arguments: [[], [.multiqueue, .config], [.config, .replyAck]] as [ProtocolFeatures])
  func `fewer protocol features are sufficient`(_ known: ProtocolFeatures) throws {
    let harness = try Harness()
    harness.frontend.knownProtocolFeatures = known
    try harness.frontend.realize()
    try harness.frontend.start()

    #expect(try harness.roundTrip([1]) == [2])
    _ = harness.close()
  }

  @Test func `more requests than one turn serves are all served`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    let queue = harness.frontend.queues[0]
    let buffer = harness.ram.allocate(64)

    for _ in 0..<30 { _ = queue.driver.add([.readable(buffer, 1), .writable(buffer + 1, 1)]) }
    if queue.driver.publish() { queue.kick.signal() }
    for _ in 0..<30 { _ = try queue.waitForUsed() }

    #expect(queue.driver.inFlightCount == 0)
    _ = harness.close()
  }

  @Test func `a pause keeps the device's state, and the rings continue`() throws {
    let harness = try Harness(shape: .vhostUserGPU)
    try harness.frontend.realize()
    try harness.frontend.start()
    for byte in 0..<5 { #expect(try harness.roundTrip([UInt8(byte)]) == [UInt8(byte) + 1]) }

    #expect(try harness.frontend.stop() == [5, 0])
    try harness.frontend.start()
    #expect(try harness.roundTrip([9]) == [10])
    #expect(try harness.frontend.stop() == [6, 0])

    let result = harness.close()
    #expect(!result.events.contains("reset"))
    #expect(result.events.filter { $0 == "display" }.count == 2)
    #expect(result.events.filter { $0 == "start 0" }.count == 2)
  }

  @Test func `requests made available before the start are served without a kick`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    let buffer = harness.ram.allocate(64)
    _ = harness.frontend.queues[0].driver.add([.readable(buffer, 1), .writable(buffer, 1)])
    harness.frontend.queues[0].driver.publish()

    try harness.frontend.start()

    #expect(try harness.frontend.queues[0].waitForUsed().writtenByteCount == 1)
    _ = harness.close()
  }

  @Test func `requests in flight are answered before the queue stops`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    let buffer = harness.ram.allocate(64)
    let queue = harness.frontend.queues[1]
    for _ in 0..<3 { queue.submit([.readable(buffer, 1)]) }
    // Queue 0 is served after queue 1's kick.
    _ = try harness.roundTrip([1])
    _ = try harness.roundTrip([1])

    #expect(try harness.frontend.stop()[1] == 3)

    #expect((0..<3).compactMap { _ in queue.driver.takeUsed() }.count == 3)
    _ = harness.close()
  }

  @Test func `RESET_DEVICE resets`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    _ = try harness.roundTrip([1])

    try harness.frontend.reset()
    try harness.frontend.start()

    #expect(try harness.roundTrip([1]) == [2])
    #expect(harness.close().events.filter { $0 == "reset" } == ["reset"])
  }

  @Test func `rings that restart at 0 are a reset, as QEMU before 9.2 sends none`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    _ = try harness.roundTrip([1])

    try harness.frontend.reset(sendsResetDevice: false)
    try harness.frontend.start()

    #expect(try harness.roundTrip([1]) == [2])
    let events = harness.close().events
    #expect(events.filter { $0 == "reset" } == ["reset"])
    #expect(events.firstIndex(of: "reset") ?? 0 < events.lastIndex(of: "start 0") ?? 0)
  }

  @Test func `a reset is detected though firmware does not use the cursor queue`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    let buffer = harness.ram.allocate(64)
    harness.frontend.queues[1].submit([.readable(buffer, 1)])
    _ = try harness.roundTrip([1])

    try harness.frontend.reset(sendsResetDevice: false)
    harness.frontend.usedQueueCount = 1
    try harness.frontend.start()

    #expect(try harness.roundTrip([1]) == [2])
    #expect(harness.close().events.filter { $0 == "reset" } == ["reset"])
  }

  @Test func `a pause before the first request is not a reset`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()
    try harness.frontend.stop()
    try harness.frontend.start()

    #expect(try harness.roundTrip([1]) == [2])
    #expect(!harness.close().events.contains("reset"))
  }

  @Test func `the config space is read and written`() throws {
    let harness = try Harness()
    try harness.frontend.realize()

    #expect(try harness.frontend.readConfig() == Array(0..<16))
    #expect(try harness.frontend.readConfig(offset: 4, byteCount: 2) == [4, 5])
    try harness.frontend.writeConfig([7, 7], offset: 2)
    #expect(try harness.frontend.readConfig(byteCount: 5) == [0, 1, 7, 7, 4])
    #expect(try harness.frontend.readConfig(offset: 15, byteCount: 2) == [])
    #expect(try harness.frontend.readConfig(byteCount: 0) == [])

    try harness.frontend.writeConfig([1, 1], offset: 15)
    #expect(harness.close().lines == ["the guest wrote 2 bytes at 15 of the config space, which is outside"])
  }

  @Test func `config-change messages reach a complete device's guest`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start()

    try harness.frontend.writeConfig([0xff], offset: 15)

    try harness.frontend.waitForConfigChange()
    #expect(harness.close().events.contains("config change true"))
  }

  @Test func `vhost-user-gpu gets no config-change messages, which it could not pass on`() throws {
    let harness = try Harness(shape: .vhostUserGPU)
    try harness.frontend.realize()
    try harness.frontend.start()

    try harness.frontend.writeConfig([0xff], offset: 15)

    #expect(harness.close().events.contains("config change false"))
  }

  @Test func `the end of the GPU socket is the first sign of a pause`() throws {
    let harness = try Harness(shape: .vhostUserGPU)
    try harness.frontend.realize()
    try harness.frontend.start()

    harness.frontend.closeGPUSocket()
    // The backend notices it before this or in the same turn.
    _ = try harness.roundTrip([1])
    _ = try harness.roundTrip([1])
    try harness.frontend.stop()

    #expect(harness.close().events.contains("no display"))
  }

  @Test func `a driver without EVENT_IDX and INDIRECT_DESC is served`() throws {
    let harness = try Harness(features: [.version1])
    try harness.frontend.realize()
    try harness.frontend.start(features: VirtioFeatures.version1.rawValue)

    for _ in 0..<100 { #expect(try harness.roundTrip([1]) == [2]) }
    _ = harness.close()
  }

  @Test func `features that were not offered are accepted, as QEMU sets them`() throws {
    let harness = try Harness()
    try harness.frontend.realize()
    try harness.frontend.start(features: harness.frontend.offeredFeatures | 1 << 24 | 1 << 27 | 1 << 40)

    #expect(try harness.roundTrip([1]) == [2])
    #expect(harness.close().end == .closed)
  }
}
