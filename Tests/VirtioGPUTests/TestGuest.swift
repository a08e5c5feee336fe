import GraphicsMemory
import GuestMemory
import Scanout
import TestSupport
import VirtioGPU

/// A driver of the device: it writes requests byte by byte and records the responses.
final class TestGuest {
  let ram: GuestRAM
  let memory: GuestMemory
  let display: RecordingDisplay
  let device: Device
  var now: UInt64 = 1_000_000_000
  var completions: [UInt64] = []

  static let success: UInt32 = 0x1100

  init(
    modes: [DisplayMode] = [DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000)], ramBytes: Int = 1 << 22,
    regionCount: Int = 1, blobs: Bool = false, edid: Bool = true,
    configuration: DeviceConfiguration = DeviceConfiguration()
  ) throws {
    ram = try GuestRAM(byteCount: ramBytes)
    memory = try ram.table(regionCount: regionCount)
    display = RecordingDisplay(modes: modes)
    var configuration = configuration
    configuration.scanoutCount = modes.count
    device = Device(display: display, memory: memory, configuration: configuration)
    device.featuresAccepted((edid ? 2 : 0) | (blobs ? 8 : 0))
    device.onCompletion = { [unowned self] in completions.append($0) }
  }

  /// The bytes of the response, or nil for a deferred one.
  func send(_ request: [UInt8]) -> [UInt8]? {
    switch request.withUnsafeBytes({ device.control(request: $0, nowNanoseconds: now) }) {
    case .respond(let count): Array(device.response[..<count])
    case .deferred: nil
    }
  }

  /// The type of the response; 0 for a deferred one.
  @discardableResult
  func type(_ request: [UInt8]) -> UInt32 { send(request).map { word($0, 0) } ?? 0 }

  /// The token of a deferred response.
  func token(_ request: [UInt8]) -> UInt64? {
    if case .deferred(let token, _) = request.withUnsafeBytes({ device.control(request: $0, nowNanoseconds: now) }) {
      return token
    }
    return nil
  }

  @discardableResult
  func cursor(_ request: [UInt8]) -> UInt32 {
    let count = request.withUnsafeBytes { device.cursor(request: $0) }
    return word(Array(device.response[..<count]), 0)
  }

  func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
  }

  /// Fills a picture in guest memory.
  func draw(_ value: UInt32, at address: Int, width: Int = 128, rect: Rect = Rect(width: 128, height: 96)) {
    for y in rect.y..<rect.maxY {
      for x in rect.x..<rect.maxX {
        ram.bytes.storeBytes(of: value, toByteOffset: address + (y * width + x) * 4, as: UInt32.self)
      }
    }
  }

  /// A 2D image of format 2 (B8G8R8X8) with its pages in one piece.
  func makeImage(_ id: UInt32, at address: UInt64, width: UInt32 = 128, height: UInt32 = 96, format: UInt32 = 2) {
    type(create2D(id, format: format, width: width, height: height))
    type(attach(id, [(address, width * height * 4)]))
  }

  /// The commands of Linux for a page flip without blobs.
  func flip(_ id: UInt32, scanout: UInt32 = 0, rect: Rect = Rect(width: 128, height: 96)) {
    type(transfer(id, rect))
    type(setScanout(scanout, id, rect))
    type(flush(id, rect))
  }

  /// The frame of that number has reached the screen, and the buffer before it has left.
  func showFrame(_ frame: FrameSubmission, replacing: UInt32? = nil) {
    device.frameDone(scanout: frame.scanout, frame: frame.frame, outcome: .flipped, timeNanoseconds: now)
    if let replacing { device.bufferReleased(replacing) }
  }

  var lastPixels: Set<UInt32> { Set(display.pixels(display.lastBufferID)) }
}

func bytes(_ value: UInt32) -> [UInt8] { [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) } }
func bytes(_ value: UInt64) -> [UInt8] {
  bytes(UInt32(truncatingIfNeeded: value)) + bytes(UInt32(truncatingIfNeeded: value >> 32))
}
func bytes(_ rect: Rect) -> [UInt8] {
  [rect.x, rect.y, rect.width, rect.height].flatMap { bytes(UInt32(truncatingIfNeeded: $0)) }
}

func header(_ type: UInt32, fence: UInt64? = nil, context: UInt32 = 0) -> [UInt8] {
  bytes(type) + bytes(UInt32(fence == nil ? 0 : 1)) + bytes(fence ?? 0) + bytes(context) + bytes(UInt32(0))
}

func create2D(_ id: UInt32, format: UInt32 = 2, width: UInt32, height: UInt32) -> [UInt8] {
  header(0x0101) + bytes(id) + bytes(format) + bytes(width) + bytes(height)
}

func unref(_ id: UInt32) -> [UInt8] { header(0x0102) + bytes(id) + bytes(UInt32(0)) }

func setScanout(_ scanout: UInt32, _ id: UInt32, _ rect: Rect) -> [UInt8] {
  header(0x0103) + bytes(rect) + bytes(scanout) + bytes(id)
}

func flush(_ id: UInt32, _ rect: Rect, fence: UInt64? = nil) -> [UInt8] {
  header(0x0104, fence: fence) + bytes(rect) + bytes(id) + bytes(UInt32(0))
}

func transfer(_ id: UInt32, _ rect: Rect, offset: UInt64? = nil, stride: Int = 512, fence: UInt64? = nil) -> [UInt8] {
  header(0x0105, fence: fence) + bytes(rect) + bytes(offset ?? UInt64(rect.y * stride + rect.x * 4)) + bytes(id)
    + bytes(UInt32(0))
}

func entries(_ list: [(UInt64, UInt32)]) -> [UInt8] {
  list.flatMap { bytes($0.0) + bytes($0.1) + bytes(UInt32(0)) }
}

func attach(_ id: UInt32, _ list: [(UInt64, UInt32)], count: UInt32? = nil) -> [UInt8] {
  header(0x0106) + bytes(id) + bytes(count ?? UInt32(list.count)) + entries(list)
}

func detach(_ id: UInt32) -> [UInt8] { header(0x0107) + bytes(id) + bytes(UInt32(0)) }

func createBlob(
  _ id: UInt32, memory: UInt32 = 1, flags: UInt32 = 2, size: UInt64, _ list: [(UInt64, UInt32)], count: UInt32? = nil
) -> [UInt8] {
  header(0x010C) + bytes(id) + bytes(memory) + bytes(flags) + bytes(count ?? UInt32(list.count)) + bytes(UInt64(0))
    + bytes(size) + entries(list)
}

func setScanoutBlob(
  _ scanout: UInt32, _ id: UInt32, _ rect: Rect, width: UInt32, height: UInt32, format: UInt32 = 2, stride: UInt32,
  offset: UInt32 = 0
) -> [UInt8] {
  let place = bytes(rect) + bytes(scanout) + bytes(id) + bytes(width) + bytes(height) + bytes(format)
  let rest = bytes(UInt32(0)) + bytes(stride) + [UInt8](repeating: 0, count: 12) + bytes(offset)
  return header(0x010D) + place + rest + [UInt8](repeating: 0, count: 12)
}

func updateCursor(
  _ scanout: UInt32, _ id: UInt32, x: Int32, y: Int32, hotX: UInt32 = 0, hotY: UInt32 = 0, type: UInt32 = 0x0300
) -> [UInt8] {
  let position = bytes(scanout) + bytes(UInt32(bitPattern: x)) + bytes(UInt32(bitPattern: y)) + bytes(UInt32(0))
  return header(type) + position + bytes(id) + bytes(hotX) + bytes(hotY) + bytes(UInt32(0))
}

let whole = Rect(width: 128, height: 96)

extension FrameSubmission {
  /// The bounds of the damage inside the source.
  var damagedBounds: Rect { damage.clipped(to: source).bounds }
}
