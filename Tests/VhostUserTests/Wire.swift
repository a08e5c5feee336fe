import GuestMemory
import LinuxIO
import TestSupport
import VhostUser
import Virtio

/// A session in this thread, and the bytes at the other end of its socket.
final class Wire {
  let backend: Backend
  let ram: GuestRAM
  private let socket: UnixSocket

  init(_ memory: GuestRAM? = nil) throws {
    ram = try memory ?? GuestRAM(byteCount: 1 << 20)
    backend = try Backend()
    let pair = try UnixSocket.pair(.stream)
    socket = pair.first
    try backend.serve(pair.second)
  }

  /// The calls of the device.
  var events: [String] { backend.device.events }

  /// How the session ended, if it did.
  var end: SessionEnd? { backend.end }

  /// Sends bytes and runs the backend.
  ///
  /// - Returns: its answer.
  @discardableResult
  func send(_ bytes: [UInt8], fds: [Int32] = []) throws -> [UInt8] {
    try bytes.withUnsafeBytes { _ = try socket.send($0, fds: fds) }
    try backend.turn()
    return try received()
  }

  /// Sends a request with the flags 1.
  @discardableResult
  func send(_ request: UInt8, _ payload: [UInt8], fds: [Int32] = [], flags: UInt8 = 1) throws -> [UInt8] {
    let count = UInt32(payload.count)
    let header: [UInt8] = [
      request, 0, 0, 0, flags, 0, 0, 0, UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8), 0, 0,
    ]
    return try send(header + payload, fds: fds)
  }

  /// SET_PROTOCOL_FEATURES with all that is offered, and SET_FEATURES with VERSION_1, EVENT_IDX, INDIRECT_DESC and 30.
  func negotiate() throws {
    try send(16, [0x29, 0xa2, 0, 0, 0, 0, 0, 0])
    try send(2, [0, 0, 0, 0x70, 1, 0, 0, 0])
  }

  /// Sends all guest memory as one region by SET_MEM_TABLE.
  @discardableResult
  func sendMemory() throws -> [UInt8] {
    let region = MemoryRegionDescription(
      guestAddress: 0, byteCount: UInt64(ram.byteCount), userAddress: ram.userAddress, fileOffset: 0)
    return try send(5, MemoryTable(regions: [region]).encoded, fds: [ram.fd.raw])
  }

  /// Everything that queue 0 needs, up to SET_VRING_ENABLE.
  func startQueue(_ driver: MockDriver, kick: Int32) throws {
    let config = driver.config()
    try send(8, [0, 0, 0, 0, UInt8(driver.size), 0, 0, 0])
    try send(10, [0, 0, 0, 0, 0, 0, 0, 0])
    try send(
      9,
      VringAddress(
        index: 0, descriptorTable: config.descriptorTable, usedRing: config.usedRing, availRing: config.availRing
      ).encoded)
    try send(12, [0, 0, 0, 0, 0, 0, 0, 0], fds: [kick])
    try send(18, [0, 0, 0, 0, 1, 0, 0, 0])
  }

  /// The bytes received at this end.
  func received() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let result = try bytes.withUnsafeMutableBytes { buffer in
      var fds = ReceivedFDs()
      return try socket.receive(into: buffer, fds: &fds, wait: false)
    }
    guard case .bytes(let count) = result else { return [] }
    return Array(bytes.prefix(count))
  }

  /// Closes this end for writing.
  func close() throws {
    shutDown(socket.fd.raw)
    try backend.turn()
  }
}
