import LinuxIO
import VhostUserFrontend

/// A guest without a kernel on a real backend: blobs of its own memory, filled with one colour each, and flips that wait
/// for their fence as Linux does.
final class CardGuest {
  /// A head as GET_DISPLAY_INFO tells it.
  struct Display: Equatable {
    var isConnected: Bool
    var width: UInt32
    var height: UInt32
  }

  let backend: ChildProcess
  private let frontend: Frontend
  private let width: Int
  private let height: Int
  private var pictures: [UInt64] = []
  private var shown = 0

  /// Starts the device and makes two pictures of that size.
  init(host: LabHost, vm: String, width: Int, height: Int) throws {
    self.width = width
    self.height = height
    backend = try host.backend(vm: vm)
    let byteCount = (width * height * 4 + 4095) / 4096 * 4096
    frontend = try Frontend(path: host.backendSocket(vm: vm), ram: GuestRAM(byteCount: 2 * byteCount + (8 << 20)))
    frontend.timeoutMilliseconds = 20_000
    try frontend.realize()
    try frontend.start()
    for resource in UInt32(1)...2 {
      let base = frontend.ram.allocate(byteCount, alignment: 4096)
      frontend.ram.fill(base, byteCount)
      pictures.append(base)
      // VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB of guest memory, shareable, in one piece.
      try request(
        0x010C, [resource, 1, 2, 1, 0, 0, UInt32(byteCount), 0, UInt32(base), UInt32(base >> 32), UInt32(byteCount), 0])
    }
  }

  /// Draws the next picture in one grey, shows it, and waits for its fence.
  func flip(grey: UInt8) throws {
    try flip(colour: UInt32(grey) &* 0x01_0101)
  }

  /// Draws the next picture in one colour, 0xRRGGBB, and shows it.
  ///
  /// - Parameter waits: whether for its fence, as Linux does; else the guest asks for none and draws on at once.
  func flip(colour: UInt32, waits: Bool = true) throws {
    let picture = shown % 2
    frontend.ram.fill(pictures[picture], width * height, pixels: colour)
    try show(picture, isFenced: waits)
    shown += 1
  }

  /// Which heads GET_DISPLAY_INFO says have a monitor, and their sizes.
  func displays() throws -> [Display] {
    let words = try request(0x0100, [], answer: 0x1101, byteCount: 24 + 16 * 24)
    return (0..<16).map {
      Display(isConnected: words[10 + $0 * 6] != 0, width: words[8 + $0 * 6], height: words[9 + $0 * 6])
    }
  }

  func waitForConfigChange() throws { try frontend.waitForConfigChange() }

  func end() { frontend.close() }

  private func show(_ picture: Int, isFenced: Bool) throws {
    let (width, height, resource) = (UInt32(width), UInt32(height), UInt32(picture + 1))
    // SET_SCANOUT_BLOB in B8G8R8X8, then RESOURCE_FLUSH.
    try request(
      0x010D, [0, 0, width, height, 0, resource, width, height, 2, 0, width * 4, 0, 0, 0, 0, 0, 0, 0])
    try request(0x0104, [0, 0, width, height, resource, 0], isFenced: isFenced)
  }

  /// Sends a request and waits for its answer.
  @discardableResult
  private func request(
    _ type: UInt32, _ words: [UInt32], isFenced: Bool = false, answer: UInt32 = 0x1100, byteCount: Int = 24
  ) throws -> [UInt32] {
    let flags: UInt32 = isFenced ? 1 : 0
    let bytes = ([type, flags, flags, 0, 0, 0] + words).flatMap { word in
      (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
    }
    if requestAddress == 0 {
      requestAddress = frontend.ram.allocate(4096)
      answerAddress = frontend.ram.allocate(4096)
    }
    frontend.ram.write(bytes, at: requestAddress)
    frontend.queues[0].submit([.readable(requestAddress, bytes.count), .writable(answerAddress, byteCount)])
    _ = try frontend.queues[0].waitForUsed(timeoutMilliseconds: 20_000)
    let reply = frontend.ram.read(answerAddress, byteCount)
    let found = stride(from: 0, to: byteCount, by: 4).map { at in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(reply[at + $1]) << ($1 * 8) }
    }
    guard found[0] == answer else {
      throw LabError("request 0x\(String(type, radix: 16)) got 0x\(String(found[0], radix: 16))")
    }
    return found
  }

  private var requestAddress: UInt64 = 0
  private var answerAddress: UInt64 = 0
}
