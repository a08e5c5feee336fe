import Glibc
import GuestMemory
import LinuxIO
import VhostUser

extension Frontend {
  func number(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: value)
    return bytes
  }

  func pair() throws(FrontendError) -> PairBox {
    do throws(SystemError) {
      return PairBox(try UnixSocket.pair(.stream))
    } catch {
      throw .system(error)
    }
  }

  func numberReply(_ request: Request) throws(FrontendError) -> UInt64 {
    let payload = try receiveReply(request)
    guard payload.count == 8 else {
      throw .badReply(request: request.rawValue, flags: 0, byteCount: payload.count)
    }
    return payload.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Like QEMU, accepts only version 1 with the reply flag.
  func receiveReply(_ request: Request) throws(FrontendError) -> [UInt8] {
    let header = try receiveHeader(nil)
    guard header.request == request.rawValue, header.flags == 5 else {
      throw .badReply(request: header.request, flags: header.flags, byteCount: Int(header.payloadByteCount))
    }
    return try receiveRaw(Int(header.payloadByteCount))
  }

  /// - Parameter raw: a socket; the session's own where nil.
  func receiveHeader(_ raw: Int32?) throws(FrontendError) -> MessageHeader {
    let bytes = if let raw { try receive(raw, 12) } else { try receiveRaw(12) }
    guard let header = unsafe MessageHeader(bytes.span.bytes) else { throw .closed }
    return header
  }

  func receive(_ raw: Int32, _ byteCount: Int) throws(FrontendError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var filled = 0
    while filled < byteCount {
      guard isReadable(raw, timeoutMilliseconds) else {
        throw .timedOut("\(filled) of \(byteCount) bytes in \(timeoutMilliseconds) ms")
      }
      let start = filled
      let count = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe recv(raw, buffer.baseAddress.map { unsafe $0 + start }, byteCount - start, Int32(MSG_DONTWAIT))
      }
      if count > 0 {
        filled += count
      } else if count == 0 || errno == ECONNRESET {
        throw .closed
      } else if errno != EINTR && errno != EAGAIN {
        throw .system(SystemError(call: "recv", code: errno))
      }
    }
    return bytes
  }
}

/// Both ends of a socket pair, taken out one by one.
final class PairBox {
  let second: UnixSocket
  private var first: UnixSocket?

  init(_ pair: consuming SocketPair) {
    first = .some(pair.first)
    second = pair.second
  }

  func takeFirst() -> UnixSocket? { first.take() }
}

/// Sends all bytes on a blocking socket, the descriptors with the first byte.
func sendAll(_ socket: borrowing UnixSocket, _ bytes: [UInt8], fds: [Int32]) throws(SystemError) {
  var offset = 0
  var fds = fds
  while offset < bytes.count {
    let start = offset
    let result = sendSome(socket, bytes, start, fds)
    offset += try result.get()
    fds = []
  }
}

private func sendSome(
  _ socket: borrowing UnixSocket, _ bytes: [UInt8], _ start: Int, _ fds: [Int32]
) -> Result<Int, SystemError> {
  unsafe bytes.withUnsafeBytes { buffer in
    do throws(SystemError) {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[start...])
      return .success(try unsafe socket.send(rest, fds: fds) ?? 0)
    } catch {
      return .failure(error)
    }
  }
}
