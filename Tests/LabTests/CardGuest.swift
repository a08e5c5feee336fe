import LinuxIO
import VhostUserFrontend

/// A guest without a kernel on a real backend: blobs of its own memory and flips that wait for their fence, as Linux
/// does.
final class CardGuest {
  /// A head from GET_DISPLAY_INFO.
  struct Display: Equatable {
    var isConnected: Bool
    var width: UInt32
    var height: UInt32
  }

  let backend: ChildProcess
  private let frontend: Frontend
  private var width: Int
  private var height: Int
  private let framebuffer: (width: Int, height: Int)
  private let pieceBytes: Int
  /// The pieces of each picture's memory, in the picture's order.
  private var pictures: [[(address: UInt64, byteCount: Int)]] = []
  /// The pictures' blobs.
  private var resources: [UInt32] = []
  /// Blobs that are no longer shown after the next flip.
  private var retired: [UInt32] = []
  private var lastResource: UInt32 = 0
  private var shown = 0
  private let requestAddress: UInt64
  private let answerAddress: UInt64
  private static let requestBytes = 1 << 16

  /// Starts the device and makes two pictures.
  ///
  /// - Parameters:
  ///   - width: of the shown part, like `height`.
  ///   - framebuffer: the size of each picture, whose upper left part is shown; nil: that part's size.
  ///   - pieceBytes: pictures consist of pieces of this size, whole pages, which are not adjacent in memory.
  init(
    host: LabHost, vm: String, width: Int, height: Int, framebuffer: (width: Int, height: Int)? = nil,
    pieceBytes: Int = .max
  ) throws {
    self.width = width
    self.height = height
    self.framebuffer = framebuffer ?? (width, height)
    self.pieceBytes = pieceBytes
    backend = try host.backend(vm: vm)
    let byteCount = (self.framebuffer.width * self.framebuffer.height * 4 + 4095) / 4096 * 4096
    frontend = try Frontend(path: host.backendSocket(vm: vm), ram: GuestRAM(byteCount: 2 * byteCount + (8 << 20)))
    requestAddress = frontend.ram.allocate(CardGuest.requestBytes, alignment: 4096)
    answerAddress = frontend.ram.allocate(4096)
    frontend.timeoutMilliseconds = 20_000
    try frontend.realize()
    try frontend.start()
    for _ in 0..<2 { pictures.append(pieces(of: byteCount)) }
    try renewBlobs()
  }

  /// Draws the next picture in one grey, shows it, and waits for its fence.
  func flip(grey: UInt8) throws {
    draw(grey: grey)
    try flip()
  }

  /// Draws the next picture in one colour, 0xRRGGBB, and shows it.
  ///
  /// - Parameter waits: whether to wait for its fence, as Linux does; else the guest does not request one.
  func flip(colour: UInt32, waits: Bool = true) throws {
    for piece in pictures[shown % 2] { frontend.ram.fill(piece.address, piece.byteCount / 4, pixels: colour) }
    try beginFlip(isFenced: waits)
    try endFlip()
  }

  /// Draws the next picture in one grey.
  func draw(grey: UInt8) {
    for piece in pictures[shown % 2] { frontend.ram.fill(piece.address, piece.byteCount, with: grey) }
  }

  /// Draws the next picture, shows it, and waits for its fence.
  func flip(_ picture: Picture) throws {
    picture.pixels.withUnsafeBytes { pixels in
      let rowBytes = picture.width * 4
      for row in 0..<picture.height {
        write(UnsafeRawBufferPointer(rebasing: pixels[row * rowBytes..<(row + 1) * rowBytes]), row: row)
      }
    }
    try flip()
  }

  /// Writes one row of the next picture: XRGB8888 from its left edge on.
  func write(_ row: UnsafeRawBufferPointer, row number: Int) {
    var (offset, from) = (number * framebuffer.width * 4, 0)
    for piece in pictures[shown % 2] {
      if offset < piece.byteCount, from < row.count {
        let count = min(piece.byteCount - offset, row.count - from)
        let target = Int(piece.address) + offset
        UnsafeMutableRawBufferPointer(rebasing: frontend.ram.bytes[target..<target + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: row[from..<from + count]))
        from += count
        offset += count
      }
      offset -= piece.byteCount
    }
  }

  /// Shows the next picture as it is, and waits for its fence.
  func flip() throws {
    try beginFlip()
    try endFlip()
  }

  /// Shows the next picture as it is; `endFlip` waits for its answer.
  func beginFlip(isFenced: Bool = true) throws {
    let resource = resources[shown % 2]
    shown += 1
    try request(GPURequest.setScanoutBlob(resource, width: width, height: height, of: framebuffer))
    submit(GPURequest.flush(resource, width: width, height: height, isFenced: isFenced))
  }

  func endFlip() throws {
    try answer()
    for resource in retired { try request(GPURequest.unref(resource)) }
    retired = []
  }

  /// Changes the size of what is shown from the next flip on, within the picture's.
  func changeSize(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  /// Turns the head off, as a guest's DPMS does.
  func turnOff() throws { try request(GPURequest.setScanout(0, width: 0, height: 0)) }

  /// Replaces the blobs by new ones of the same memory, as a guest that recreates its framebuffers does.
  func renewBlobs() throws {
    retired += resources
    resources = []
    for pieces in pictures {
      lastResource += 1
      resources.append(lastResource)
      try request(GPURequest.createBlob(lastResource, pieces))
    }
  }

  /// The heads with a monitor and their sizes, from GET_DISPLAY_INFO.
  func displays() throws -> [Display] {
    let words = try request(
      GPURequest.getDisplayInfo(), answer: GPURequest.displayInfo, byteCount: GPURequest.headerByteCount + 16 * 24)
    return (0..<16).map {
      Display(isConnected: words[10 + $0 * 6] != 0, width: words[8 + $0 * 6], height: words[9 + $0 * 6])
    }
  }

  func waitForConfigChange() throws { try frontend.waitForConfigChange() }

  func end() { frontend.close() }

  /// Guest memory for a picture: every other piece first.
  private func pieces(of byteCount: Int) -> [(address: UInt64, byteCount: Int)] {
    let base = frontend.ram.allocate(byteCount, alignment: 4096)
    let step = min(pieceBytes, byteCount)
    let starts = Array(stride(from: 0, to: byteCount, by: step))
    return (starts.filter { $0 / step % 2 == 0 } + starts.filter { $0 / step % 2 == 1 }).map {
      (address: base + UInt64($0), byteCount: min(step, byteCount - $0))
    }
  }

  // MARK: Requests

  /// Sends a request and waits for its answer.
  @discardableResult
  private func request(
    _ bytes: [UInt8], answer wanted: UInt32 = GPURequest.success, byteCount: Int = GPURequest.headerByteCount
  ) throws -> [UInt32] {
    submit(bytes, byteCount: byteCount)
    return try answer(wanted, byteCount: byteCount)
  }

  private func submit(_ bytes: [UInt8], byteCount: Int = GPURequest.headerByteCount) {
    precondition(bytes.count <= CardGuest.requestBytes, "a request of \(bytes.count) bytes")
    frontend.ram.write(bytes, at: requestAddress)
    frontend.queues[0].submit([.readable(requestAddress, bytes.count), .writable(answerAddress, byteCount)])
  }

  @discardableResult
  private func answer(
    _ wanted: UInt32 = GPURequest.success, byteCount: Int = GPURequest.headerByteCount
  ) throws -> [UInt32] {
    _ = try frontend.queues[0].waitForUsed(timeoutMilliseconds: 20_000)
    let reply = frontend.ram.read(answerAddress, byteCount)
    let found = stride(from: 0, to: byteCount, by: 4).map { at in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(reply[at + $1]) << ($1 * 8) }
    }
    guard found[0] == wanted else {
      let type = frontend.ram.read(requestAddress, 2).reversed().reduce(0) { $0 << 8 | Int($1) }
      throw LabError("request 0x\(String(type, radix: 16)) got 0x\(String(found[0], radix: 16))")
    }
    return found
  }
}
