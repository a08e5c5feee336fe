import Glibc
public import LinuxIO

/// The ivshmem client-server protocol (QEMU docs/specs/ivshmem-spec.rst): each message is an 8-byte little-endian
/// signed number with at most one descriptor, from the server to the client only.
public enum IvshmemProtocol {
  /// The first number.
  public static let version: Int64 = 0
  /// The number sent with the shared memory.
  public static let memory: Int64 = -1
  /// The largest peer id.
  public static let maxPeerID: Int64 = 65_535
  /// The size of a message in bytes.
  public static let messageByteCount = 8
  /// The host's peer id, which a guest rings.
  public static let hostPeer: Int64 = 0
  /// A guest's peer id on its own server connection.
  public static let guestPeer: Int64 = 1

  /// A number's bytes.
  public static func bytes(of number: Int64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> Int64($0 * 8)) }
  }

  /// The number of 8 bytes.
  public static func number(of bytes: [UInt8]) -> Int64 {
    var value: UInt64 = 0
    for (index, byte) in bytes.prefix(8).enumerated() { value |= UInt64(byte) << UInt64(index * 8) }
    return Int64(bitPattern: value)
  }

  /// Sends the greeting of a client: version, its id, the memory, the host as the only other peer, and its own eventfd.
  ///
  /// - Parameters:
  ///   - memory: the region; its size becomes that of BAR 2.
  ///   - hostDoorbell: an eventfd that the guest raises.
  ///   - guestDoorbell: an eventfd that the host raises.
  /// - Throws: EAGAIN if a nonblocking client's socket is full.
  public static func welcome(
    _ client: borrowing UnixSocket, memory: Int32, hostDoorbell: Int32, guestDoorbell: Int32
  ) throws(SystemError) {
    try send(version, nil, to: client)
    try send(guestPeer, nil, to: client)
    try send(IvshmemProtocol.memory, memory, to: client)
    try send(hostPeer, hostDoorbell, to: client)
    try send(guestPeer, guestDoorbell, to: client)
  }

  /// Notifies a client that a peer has disconnected.
  public static func sendDisconnect(_ peer: Int64, to client: borrowing UnixSocket) throws(SystemError) {
    try send(peer, nil, to: client)
  }

  private static func send(_ number: Int64, _ fd: Int32?, to client: borrowing UnixSocket) throws(SystemError) {
    var value = number.littleEndian
    let result: Result<Int?, SystemError> = unsafe withUnsafeBytes(of: &value) { bytes in
      do throws(SystemError) {
        return .success(try unsafe client.send(bytes, fds: fd.map { [$0] } ?? []))
      } catch { return .failure(error) }
    }
    guard try result.get() == messageByteCount else { throw SystemError(call: "sendmsg", code: EAGAIN) }
  }
}
