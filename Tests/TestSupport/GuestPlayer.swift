import LinuxIO
public import VhostUserFrontend
import Virtio

/// A guest's driver and its QEMU in a test: plays commands of the control and the cursor queue against a real backend.
public final class GuestPlayer {
  /// A picture in the guest's memory.
  public struct Picture: Sendable {
    /// The resource.
    public var resource: UInt32
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// Its memory in order.
    public var pieces: [GuestPiece]

    /// A picture of a resource that the guest has made.
    public init(resource: UInt32, width: Int, height: Int, pieces: [GuestPiece]) {
      self.resource = resource
      self.width = width
      self.height = height
      self.pieces = pieces
    }
  }

  /// An answer that was not expected.
  public struct Refused: Error, CustomStringConvertible {
    /// Both types.
    public let description: String
  }

  /// QEMU's side.
  public let frontend: Frontend
  /// The guest's memory.
  public var ram: GuestRAM { frontend.ram }
  private let request: UInt64
  private let answer: UInt64
  private static let requestBytes = 1 << 18

  /// Waits for a backend's socket, connects and starts the device.
  ///
  /// - Parameters:
  ///   - ram: the guest's memory; nil for `ramBytes` in a memfd.
  ///   - features: that the driver accepts; nil for all.
  ///   - usedQueueCount: a driver may use the control queue only.
  public init(
    path: String, shape: Frontend.Shape = .completeDevice, ram: GuestRAM? = nil, ramBytes: Int = 64 << 20,
    features: UInt64? = nil, usedQueueCount: Int = .max
  ) throws {
    let loop = try EventLoop()
    _ = try loop.wait(milliseconds: 20_000) { LinuxFile.status(path)?.kind == .socket }
    let ring = VirtioFeatures(rawValue: features ?? .max)
      .intersection([.version1, .indirectDescriptors, .eventIndex])
    frontend = try Frontend(path: path, shape: shape, ram: ram ?? GuestRAM(byteCount: ramBytes), features: ring)
    request = frontend.ram.allocate(GuestPlayer.requestBytes, alignment: 4096)
    answer = frontend.ram.allocate(4096, alignment: 4096)
    frontend.timeoutMilliseconds = 30_000
    frontend.usedQueueCount = usedQueueCount
    try frontend.realize()
    try frontend.start(features: features)
  }

  deinit { frontend.close() }

  // MARK: - Commands

  /// Sends a command of the control queue and waits for its answer.
  ///
  /// - Parameters:
  ///   - wanted: the type of the answer.
  ///   - byteCount: of the answer.
  /// - Returns: the answer's words.
  @discardableResult
  public func ask(
    _ bytes: [UInt8], _ wanted: UInt32 = GPURequest.success, byteCount: Int = GPURequest.headerByteCount
  ) throws -> [UInt32] {
    try play(bytes, on: 0, byteCount: byteCount)
    let words = stride(from: 0, to: byteCount, by: 4).map { at in
      ram.read(answer + UInt64(at), 4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    guard words[0] == wanted else {
      let type = bytes[0..<2].reversed().reduce(0) { $0 << 8 | Int($1) }
      throw Refused(description: "command 0x\(hex(type)) got 0x\(hex(Int(words[0]))), not 0x\(hex(Int(wanted)))")
    }
    return words
  }

  /// Sends a command of the cursor queue, without room for an answer, and waits until it is used.
  public func move(_ bytes: [UInt8]) throws { try play(bytes, on: 1, byteCount: 0) }

  private func hex(_ number: Int) -> String { String(number, radix: 16) }

  private func play(_ bytes: [UInt8], on queue: Int, byteCount: Int) throws {
    precondition(bytes.count <= GuestPlayer.requestBytes, "a command of \(bytes.count) bytes")
    ram.write(bytes, at: request)
    ram.fill(answer, max(byteCount, 1))
    var buffers: [DriverBuffer] = [.readable(request, bytes.count)]
    if byteCount > 0 { buffers.append(.writable(answer, byteCount)) }
    frontend.queues[queue].submit(buffers)
    _ = try frontend.queues[queue].waitForUsed(timeoutMilliseconds: 30_000)
  }

  // MARK: - Pictures

  /// Memory for a picture.
  ///
  /// - Parameter pieceBytes: the size of its pieces, whole pages; neighbours are swapped, so that none follows its
  ///   predecessor. Nil for one piece.
  public func memory(width: Int, height: Int, pieceBytes: Int? = nil) -> [GuestPiece] {
    let byteCount = (width * height * 4 + 4095) / 4096 * 4096
    let base = ram.allocate(byteCount, alignment: 4096)
    guard let pieceBytes else { return [(base, byteCount)] }
    var pieces = stride(from: 0, to: byteCount, by: pieceBytes).map {
      (address: base + UInt64($0), byteCount: min(pieceBytes, byteCount - $0))
    }
    // The last piece may be shorter.
    for index in stride(from: 0, to: (pieces.count - 1) / 2 * 2, by: 2) { pieces.swapAt(index, index + 1) }
    return pieces
  }

  /// Makes a blob for a picture.
  public func makeBlob(_ resource: UInt32, width: Int, height: Int, pieceBytes: Int? = nil) throws -> Picture {
    let pieces = memory(width: width, height: height, pieceBytes: pieceBytes)
    try ask(GPURequest.createBlob(resource, pieces))
    return Picture(resource: resource, width: width, height: height, pieces: pieces)
  }

  /// Fills a picture with one pixel.
  public func fill(_ picture: Picture, _ pixel: UInt32) {
    for piece in picture.pieces { ram.fill(piece.address, piece.byteCount / 4, pixels: pixel) }
  }

  /// Shows a blob as Linux does: SET_SCANOUT_BLOB, then a fenced flush, which is answered at the flip.
  public func flip(_ picture: Picture, scanout: UInt32 = 0) throws {
    try ask(
      GPURequest.setScanoutBlob(picture.resource, width: picture.width, height: picture.height, scanout: scanout))
    try ask(GPURequest.flush(picture.resource, width: picture.width, height: picture.height, isFenced: true))
  }
}

extension GuestPlayer {
  /// Makes commands available without looking at their answers, once the ring has room for them.
  public func throwIn(_ commands: [[UInt8]], on queue: Int) throws(FrontendError) {
    let ring = frontend.queues[queue]
    for (index, command) in commands.enumerated() {
      precondition(command.count <= 4096 && commands.count <= 16, "\(commands.count) commands")
      let place = request + UInt64(index * 4096)
      while ring.driver.inFlightCount > 16 || ring.driver.takeUsed() != nil {
        if ring.driver.inFlightCount > 16 { _ = try ring.waitForUsed(timeoutMilliseconds: 1000) }
      }
      ram.write(command, at: place)
      var buffers: [DriverBuffer] = [.readable(place, command.count)]
      if queue == 0 { buffers.append(.writable(answer, 1056)) }
      ring.submit(buffers)
    }
  }
}
