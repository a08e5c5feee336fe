import Glibc
import LinuxIO

/// Reads and writes of exact sizes on a stream, with a time limit of 5 s each; errors name the other end.
enum SocketBytes {
  private static let timeoutMilliseconds: Int32 = 5000

  /// Receives exactly this many bytes.
  static func receive(_ fd: Int32, _ count: Int, _ name: String) throws(BenchError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count { filled += try read(fd, &bytes, from: filled, name) }
    return bytes
  }

  /// Receives the available bytes, at least one.
  static func some(_ fd: Int32, _ name: String) throws(BenchError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = try read(fd, &bytes, from: 0, name)
    return Array(bytes.prefix(count))
  }

  /// Skips bytes.
  static func skip(_ fd: Int32, _ count: Int, _ name: String) throws(BenchError) {
    var buffer = [UInt8](repeating: 0, count: min(max(count, 1), 1 << 20))
    var rest = count
    while rest > 0 {
      if rest < buffer.count { buffer.removeLast(buffer.count - rest) }
      rest -= try read(fd, &buffer, from: 0, name)
    }
  }

  /// Sends all of it on a blocking socket.
  static func send(
    _ socket: borrowing UnixSocket, _ bytes: [UInt8], fds: [Int32] = [], _ name: String
  ) throws(BenchError) {
    let result = sendOnce(socket, bytes, fds)
    switch result {
    case .success(bytes.count): return
    case .success(let count): throw BenchError("\(name) took \(count) of \(bytes.count) bytes")
    case .failure(let error): throw BenchError("\(name): \(error)")
    }
  }

  /// A little-endian number.
  static func little(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
    bytes[offset..<(offset + count)].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// A big-endian number.
  static func big(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int {
    bytes[offset..<(offset + count)].reduce(0) { $0 << 8 | Int($1) }
  }

  /// The offset of the first `pattern`; nil if there is none.
  static func find(_ pattern: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= pattern.count else { return nil }
    return (0...(bytes.count - pattern.count)).first { bytes[$0..<($0 + pattern.count)].elementsEqual(pattern) }
  }

  private static func sendOnce(
    _ socket: borrowing UnixSocket, _ bytes: [UInt8], _ fds: [Int32]
  ) -> Result<Int, SystemError> {
    unsafe bytes.withUnsafeBytes { buffer in
      do throws(SystemError) {
        return .success(try unsafe socket.send(buffer, fds: fds) ?? 0)
      } catch {
        return .failure(error)
      }
    }
  }

  private static func read(
    _ fd: Int32, _ bytes: inout [UInt8], from start: Int, _ name: String
  ) throws(BenchError) -> Int {
    do throws(SystemError) {
      guard try !waitUntilReady(fd, .readable, timeoutMilliseconds: timeoutMilliseconds).isEmpty else {
        throw BenchFailure.timedOut
      }
    } catch {
      throw BenchError(error == BenchFailure.timedOut ? "\(name) does not answer" : "\(name): \(error)")
    }
    let result: Result<Int?, SystemError> = unsafe bytes.withUnsafeMutableBytes { buffer in
      do throws(SystemError) {
        return .success(try unsafe readAvailable(fd, into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...])))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let count?) where count > 0: return count
    case .success: throw BenchError("\(name) has ended")
    case .failure(let error): throw BenchError("\(name): \(error)")
    }
  }
}

private enum BenchFailure {
  static let timedOut = SystemError(call: "poll", code: ETIMEDOUT)
}
