import LinuxIO
import VhostUserFrontend

/// A guest that shows two pictures in turn, like a Linux guest with page flips, without a kernel or any work besides
/// the requests.
final class BenchGuest: FrameSource {
  /// The kind of its pictures.
  enum Pictures {
    /// RESOURCE_CREATE_2D: copied by TRANSFER_TO_HOST_2D, without waiting for the screen.
    case images
    /// RESOURCE_CREATE_BLOB of guest memory: every flush is fenced, and the guest waits for it.
    case blobs
  }

  let pictures: Pictures
  let width: Int, height: Int
  /// The name in errors.
  let backendName: String
  /// The number of unanswered requests.
  private(set) var openRequests = 0
  private let frontend: Frontend
  private let control: FrontendQueue
  private var flips: [[[DriverBuffer]]] = []
  private var corners: [[[DriverBuffer]]] = []
  private var answers: [UInt64] = []
  /// The number of presented whole frames.
  private(set) var shown = 0
  /// The pieces of guest memory of each picture, in the picture's order.
  private(set) var pieces: [[(address: UInt64, byteCount: Int)]] = []
  /// The pictures that were drawn into since they were filled.
  var isDrawn = [false, false]
  /// Guest memory.
  var ram: GuestRAM { frontend.ram }

  /// Guest memory for two pictures of this size and the rings.
  static func ramBytes(width: Int, height: Int) -> Int { 2 * pictureBytes(width, height) + (8 << 20) }

  private static func pictureBytes(_ width: Int, _ height: Int) -> Int {
    (width * height * 4 + 4095) / 4096 * 4096
  }

  /// Starts the device, makes the pictures and shows the first one.
  ///
  /// - Parameter runBytes: the size of a picture's contiguous pieces of guest memory, whole pages.
  init(
    _ frontend: Frontend, pictures: Pictures, width: Int, height: Int, runBytes: Int, backendName: String
  ) throws(BenchError) {
    self.frontend = frontend
    self.pictures = pictures
    self.width = width
    self.height = height
    self.backendName = backendName
    control = frontend.queues[0]
    try speak { () throws(FrontendError) in
      try frontend.realize()
      // A guest without blobs accepts the device's EDID (bit 1), and the ring features that our driver uses.
      let simple: UInt64 = 1 << 1 | 1 << 28 | 1 << 29 | 1 << 32
      try frontend.start(features: pictures == .blobs ? nil : frontend.offeredFeatures & simple)
    }
    for resource: UInt32 in [1, 2] { try makePicture(resource, runBytes: runBytes) }
    for resource: UInt32 in [1, 2] {
      flips.append(prepareFlip(resource))
      corners.append(prepareCorner(resource))
    }
    try showFrame(.wholePicture)
    try finish()
  }

  // MARK: Frames

  /// Makes a frame's requests available and kicks once, as Linux does.
  @discardableResult
  func showFrame(_ change: FrameChange) throws(BenchError) -> UInt64 {
    let requests: [[DriverBuffer]]
    switch change {
    case .wholePicture:
      requests = flips[shown % 2]
      shown += 1
    case .corner: requests = corners[(shown + 1) % 2]
    }
    for request in requests {
      guard control.driver.add(request, indirect: true) != nil else {
        throw BenchError("\(backendName) has more outstanding requests than its ring holds")
      }
      openRequests += 1
    }
    let kicked = monotonicNanoseconds()
    if control.driver.publish() { control.kick.signal() }
    return kicked
  }

  /// The descriptor that is readable when responses are available.
  var answerDescriptor: Int32 { control.call.fd.raw }

  /// Takes available answers without waiting, and enables the interrupt for the next one.
  func takeAnswers() {
    control.call.drain()
    repeat {
      while control.driver.takeUsed() != nil { openRequests -= 1 }
    } while control.driver.setInterrupts(true)
  }

  /// With two pictures two frames of images may be outstanding. A guest that waits for the screen has one, because
  /// Linux's commit returns only then.
  func waitForTurn(_ change: FrameChange) throws(BenchError) {
    let requestCount = change == .wholePicture ? flips[0].count : corners[0].count
    try wait(untilOpen: pictures == .images ? requestCount : 0)
  }

  func isAnswered() throws(BenchError) -> Bool {
    takeAnswers()
    return openRequests == 0
  }

  /// Waits until the last request is answered.
  func waitForAnswer() throws(BenchError) { try wait(untilOpen: 0) }

  /// Waits until at most this many requests are outstanding.
  func wait(untilOpen limit: Int) throws(BenchError) {
    while openRequests > limit {
      try speak { () throws(FrontendError) in _ = try control.waitForUsed() }
      openRequests -= 1
    }
  }

  /// Waits for every answer, and checks those of the last frame.
  func finish() throws(BenchError) {
    try wait(untilOpen: 0)
    for answer in answers {
      let type = frontend.ram.read(answer, 4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      // A request of the other picture may not have been sent yet.
      guard type == GPURequest.success || type == 0 else {
        throw BenchError("\(backendName) answered a frame with 0x\(String(type, radix: 16))")
      }
    }
  }

  /// Switches the machine off.
  func end() { frontend.close() }

  // MARK: Requests

  private func makePicture(_ resource: UInt32, runBytes: Int) throws(BenchError) {
    let byteCount = BenchGuest.pictureBytes(width, height)
    let base = frontend.ram.allocate(byteCount, alignment: 4096)
    frontend.ram.fill(base, byteCount, with: UInt8(resource * 0x40))
    let step = min(max(runBytes, 4096), byteCount)
    var pieces: [(address: UInt64, byteCount: Int)] = []
    defer { self.pieces.append(pieces) }
    // Every other piece first, so that pieces adjacent in the picture are not adjacent in memory.
    let starts = Array(stride(from: 0, to: byteCount, by: step))
    let order = starts.filter { $0 / step % 2 == 0 } + starts.filter { $0 / step % 2 == 1 }
    for start in order {
      pieces.append((address: base + UInt64(start), byteCount: min(step, byteCount - start)))
    }
    switch pictures {
    case .images:
      try ask(GPURequest.create2D(resource, width: width, height: height), "RESOURCE_CREATE_2D")
      try ask(GPURequest.attachBacking(resource, pieces), "RESOURCE_ATTACH_BACKING")
    case .blobs: try ask(GPURequest.createBlob(resource, pieces), "RESOURCE_CREATE_BLOB")
    }
  }

  private func prepareFlip(_ resource: UInt32) -> [[DriverBuffer]] {
    switch pictures {
    case .images:
      return [
        prepare(GPURequest.transfer(resource, width: width, height: height)),
        prepare(GPURequest.setScanout(resource, width: width, height: height)),
        prepare(GPURequest.flush(resource, width: width, height: height, isFenced: false)),
      ]
    case .blobs:
      return [
        prepare(GPURequest.setScanoutBlob(resource, width: width, height: height)),
        prepare(GPURequest.flush(resource, width: width, height: height, isFenced: true)),
      ]
    }
  }

  private func prepareCorner(_ resource: UInt32) -> [[DriverBuffer]] {
    let size = FrameChange.cornerSize
    let flush = GPURequest.flush(resource, width: size, height: size, isFenced: pictures == .blobs)
    switch pictures {
    case .images: return [prepare(GPURequest.transfer(resource, width: size, height: size)), prepare(flush)]
    case .blobs: return [prepare(flush)]
    }
  }

  /// Writes a request into guest memory, to be sent many times.
  private func prepare(_ request: [UInt8]) -> [DriverBuffer] {
    let address = frontend.ram.allocate(request.count)
    frontend.ram.write(request, at: address)
    let answer = frontend.ram.allocate(24)
    answers.append(answer)
    return [.readable(address, request.count), .writable(answer, 24)]
  }

  /// Sends one request once.
  private func ask(_ request: [UInt8], _ name: String) throws(BenchError) {
    let address = frontend.ram.allocate(request.count)
    frontend.ram.write(request, at: address)
    let answer = frontend.ram.allocate(24)
    control.submit([.readable(address, request.count), .writable(answer, 24)], indirect: true)
    try speak { () throws(FrontendError) in _ = try control.waitForUsed() }
    let type = frontend.ram.read(answer, 4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard type == GPURequest.success else {
      throw BenchError("\(backendName) answered \(name) with 0x\(String(type, radix: 16))")
    }
  }

  private func speak(_ body: () throws(FrontendError) -> Void) throws(BenchError) {
    do throws(FrontendError) {
      try body()
    } catch {
      switch error {
      case .closed: throw BenchError("\(backendName) closed the connection")
      case .timedOut(let what): throw BenchError("\(backendName) does not answer (\(what))")
      case .badReply(let request, _, _): throw BenchError("\(backendName) sent an invalid reply to \(request)")
      case .refused(let request, let code): throw BenchError("\(backendName) refused \(request) (\(code))")
      case .system(let error): throw BenchError("\(backendName): \(error)")
      }
    }
  }
}
