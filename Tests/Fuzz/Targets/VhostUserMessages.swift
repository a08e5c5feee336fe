import GuestMemory
import LinuxIO
import VhostUser
import VhostUserFrontend
import Virtio

/// A frontend's messages after feature negotiation, with rings in memory that changes under the backend.
enum VhostUserMessages {
  /// The lengths of the payloads by request (vhost-user, "Front-end message types"); -1: any.
  private static let lengths: [UInt8: Int] = [
    1: 0, 2: 8, 3: 0, 4: 0, 5: -1, 8: 8, 9: 40, 10: 8, 11: 8, 12: 8, 13: 8, 14: 8, 15: 0, 16: 8, 17: 0, 18: 8, 21: 0,
    24: -1, 25: -1, 33: 0, 36: 0, 37: 40, 38: 40,
  ]

  static func run(_ input: inout FuzzInput) throws {
    let session = try Session()
    try session.send([16, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0x29, 0xa2, 0, 0, 0, 0, 0, 0], [])
    try session.send([2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x70, 1, 0, 0, 0], [])
    while !input.isEmpty, session.end == nil {
      switch input.byte() % 8 {
      case 0: try session.send(input.list(input.number(below: 96)), descriptors(&input, session))
      case 1: session.poke(input.number(UInt16.self), input.number(UInt64.self))
      case 2: session.poke(input.number(UInt16.self), UInt64(input.byte()))
      case 3: try session.kick()
      case 4: try session.sendMemory()
      default: try message(&input, session)
      }
    }
  }

  private static func message(_ input: inout FuzzInput, _ session: Session) throws {
    let request = input.byte() % 48
    let flags: UInt8 = input.byte() % 2 == 0 ? 1 : 9
    var byteCount = lengths[request] ?? -1
    if byteCount < 0 { byteCount = input.number(below: 300) }
    let payload = input.list(byteCount)
    let header: [UInt8] = [request, 0, 0, 0, flags, 0, 0, 0] + UInt32(payload.count).littleEndianBytes
    try session.send(header + payload, descriptors(&input, session))
  }

  private static func descriptors(_ input: inout FuzzInput, _ session: Session) -> [Int32] {
    switch input.byte() % 8 {
    case 0: [session.ram.fd.raw]
    case 1: [session.doorbell.fd.raw]
    case 2: [session.ram.fd.raw, session.doorbell.fd.raw]
    case 3: [session.unsealed]
    default: []
    }
  }
}

/// A backend's session in this thread, and the frontend's end of its socket.
private final class Session {
  let ram: GuestRAM
  let doorbell: EventFD
  private let spare: OwnedFD
  private let loop: EventLoop
  private let memory = GuestMemory()
  private let device = EchoDevice()
  private var backend: BackendSession<EchoDevice>?
  private let socket: UnixSocket
  private(set) var end: SessionEnd?

  init() throws {
    ram = try GuestRAM(byteCount: 1 << 16)
    doorbell = try EventFD()
    spare = try MemFD.create(name: "fuzz", byteCount: 4096)
    loop = try EventLoop()
    let pair = try UnixSocket.pair(.stream)
    socket = pair.first
    backend = try BackendSession(
      socket: pair.second, loop: loop, memory: memory, device: device, log: { _ in },
      onEnd: { [unowned self] in end = $0 })
    loop.beforeWait = { [weak self] in self?.backend?.checkMemory() }
  }

  var unsealed: Int32 { spare.raw }

  func send(_ bytes: [UInt8], _ fds: [Int32]) throws {
    guard end == nil, !bytes.isEmpty else { return }
    _ = try? unsafe bytes.withUnsafeBytes { try unsafe socket.send($0, fds: fds) }
    try turn()
  }

  func sendMemory() throws {
    let region = MemoryRegionDescription(
      guestAddress: 0, byteCount: UInt64(ram.byteCount), userAddress: ram.userAddress, fileOffset: 0)
    let table = MemoryTable(regions: [region]).encoded
    try send([5, 0, 0, 0, 1, 0, 0, 0] + UInt32(table.count).littleEndianBytes + table, [ram.fd.raw])
  }

  func poke(_ place: UInt16, _ value: UInt64) {
    unsafe ram.bytes.storeBytes(of: value, toByteOffset: Int(place) % (ram.byteCount - 8), as: UInt64.self)
  }

  func kick() throws {
    doorbell.signal()
    try turn()
  }

  /// Serves what has arrived, and reads the answers.
  private func turn() throws {
    for _ in 0..<64 where try loop.runOnce(timeoutMilliseconds: 0) == 0 { break }
    var bytes = [UInt8](repeating: 0, count: 4096)
    var fds = ReceivedFDs()
    _ = try? unsafe bytes.withUnsafeMutableBytes { try unsafe socket.receive(into: $0, fds: &fds, wait: false) }
  }
}

/// Answers each request with its own bytes.
private final class EchoDevice: VhostUserDevice {
  let features: UInt64 = VirtioFeatures([.version1, .indirectDescriptors, .eventIndex]).rawValue
  let queueCount = 2
  private var config = [UInt8](repeating: 0, count: 16)

  func readConfig(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard offset + buffer.count <= config.count else { return false }
    unsafe buffer.copyBytes(from: config[offset..<offset + buffer.count])
    return true
  }

  func writeConfig(at offset: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard offset + bytes.count <= config.count else { return false }
    unsafe config.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    return true
  }

  func queueKicked(_ queue: VhostUserQueue) throws(VirtqueueError) {
    try queue.drain(limit: 64) { chain in
      // A chain may name the same page 32768 times.
      var bytes = [UInt8](repeating: 0, count: min(chain.readableByteCount, 4096))
      _ = unsafe bytes.withUnsafeMutableBytes { unsafe chain.read(into: $0) }
      let written = unsafe bytes.withUnsafeBytes { unsafe chain.write($0) }
      queue.push(head: chain.head, writtenByteCount: UInt32(written))
    }
    queue.notify()
  }

  func featuresAccepted(_ features: UInt64) {}
  func queueStarted(_ queue: VhostUserQueue) {}
  func queueStopping(_ queue: VhostUserQueue) {}
  func memoryChanged() {}
  func refused(_ reason: String?) {}
  func reset() {}
  func displayConnected(_ isConnected: Bool) {}
}
