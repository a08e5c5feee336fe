import GraphicsMemory
import GuestMemory
import Scanout
import TestSupport
import VhostUserFrontend
import VirtioGPU

/// Requests on both queues of a virtio-gpu device, and what its display does meanwhile.
enum GPUCommands {
  /// The request types with the bytes behind their header (virtio 1.3, 5.7.6.8).
  private static let requests: [(type: UInt32, byteCount: Int)] = [
    (0x0100, 0), (0x0101, 16), (0x0102, 8), (0x0103, 24), (0x0104, 24), (0x0105, 32), (0x0106, 24), (0x0107, 8),
    (0x0108, 8), (0x010a, 8), (0x010c, 48), (0x010d, 72),
  ]
  private static let memoryLimitBytes = 8 << 20

  static func run(_ input: inout FuzzInput) throws {
    let ram = try GuestRAM(byteCount: 1 << 20)
    let modes = [DisplayMode](repeating: DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000), count: 2)
    let display = RecordingDisplay(modes: modes)
    var configuration = DeviceConfiguration(
      memoryLimitBytes: memoryLimitBytes, pathPolicy: input.byte() % 2 == 0 ? .direct : .auto)
    configuration.scanoutCount = modes.count
    let device = Device(display: display, memory: try ram.table(regionCount: 2), configuration: configuration)
    device.featuresAccepted(UInt64(input.byte()))
    display.importRefusal = input.byte() % 2 == 0 ? nil : "no"
    var now: UInt64 = 1_000_000_000
    while !input.isEmpty {
      now += 1_000_000
      switch input.byte() % 8 {
      case 0: happen(&input, device, display, now)
      case 1:
        let request = header(&input, [0x0300, 0x0301][input.number(below: 2)]) + input.list(32)
        _ = unsafe request.withUnsafeBytes { unsafe device.cursor(request: $0) }
      case 2:
        // Any bytes at all.
        send(input.list(input.number(below: 128)), to: device, now)
      default:
        let (type, byteCount) = requests[input.number(below: requests.count)]
        let body = input.list(byteCount)
        send(header(&input, type) + body + [UInt8](repeating: 0, count: byteCount - body.count), to: device, now)
      }
    }
    device.reset()
    check(display.buffers.isEmpty, "\(display.buffers.count) buffers are left after a reset")
    let image: [UInt32] = [0x0101, 0, 0, 0, 0, 0, 1, 2, 128, 96]
    let answer = send(image.flatMap(\.littleEndianBytes), to: device, now)
    check(answer == 0x1100, "a new driver's image gets \(String(answer ?? 0, radix: 16))")
  }

  private static func header(_ input: inout FuzzInput, _ type: UInt32) -> [UInt8] {
    let flags = UInt32(input.byte() & 1)
    return type.littleEndianBytes + flags.littleEndianBytes + input.number(UInt64.self).littleEndianBytes
      + [0, 0, 0, 0, 0, 0, 0, 0]
  }

  /// The type of the response; nil for a deferred one.
  @discardableResult
  private static func send(_ request: [UInt8], to device: Device, _ now: UInt64) -> UInt32? {
    guard
      case .respond(let count) = unsafe request.withUnsafeBytes({
        unsafe device.control(request: $0, nowNanoseconds: now)
      })
    else { return nil }
    check([24, 408, 1056].contains(count), "a response of \(count) bytes")
    let type = unsafe device.response.load(as: UInt32.self)
    check((0x1100...0x1106).contains(type) || (0x1200...0x1205).contains(type), "a response of type \(type)")
    return type
  }

  private static func happen(_ input: inout FuzzInput, _ device: Device, _ display: RecordingDisplay, _ now: UInt64) {
    switch input.byte() % 10 {
    case 0:
      display.forgetBuffers()
      device.displayLost()
    case 1: device.displayRestored()
    case 2: device.headsChanged()
    case 3: device.timerFired(nowNanoseconds: now)
    case 4:
      let scanout = input.number(below: 3)
      display.forgetBuffers(scanout: scanout)
      device.buffersLost(scanout: scanout)
    case 5: device.memoryChanged()
    case 6:
      display.refusesBuffers.toggle()
      display.isImportUnavailable = input.byte() % 2 == 0
    case 7:
      device.stop(nowNanoseconds: now)
      device.hideGuestPages()
      device.forgetGuestPages()
      device.restart()
    default:
      for frame in display.frames.suffix(4) {
        let outcome: FrameOutcome = input.byte() % 2 == 0 ? .flipped : .superseded
        device.frameDone(scanout: frame.scanout, frame: frame.frame, outcome: outcome, timeNanoseconds: 1)
        device.bufferReleased(frame.bufferID)
      }
    }
  }
}
