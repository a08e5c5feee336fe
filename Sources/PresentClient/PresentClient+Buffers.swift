import Glibc
public import GraphicsMemory
import LinuxIO
public import PresentProtocol
public import Scanout

extension PresentClient {
  /// How long `createBuffer` and `importBuffer` wait for the daemon.
  public static let answerMilliseconds = 250

  /// Creates a host buffer for the scanout's output; waits for the daemon, 250 ms at most.
  ///
  /// Other messages that arrive meanwhile are delivered later by the loop.
  /// - Parameters:
  ///   - width: pixels; ignored for a cursor, which has the output's cursor size.
  ///   - usage: a frame, or a cursor (ARGB8888 premultiplied).
  public func createBuffer(
    scanout: Int, width: Int, height: Int, format: PixelFormat, usage: BufferUsage = .frame
  ) throws(PresentClientError) -> PresentBuffer {
    let head = try connectedHead(scanout)
    let id = nextBufferID()
    let create = CreateBuffer(
      bufferID: id, scanout: UInt32(scanout), generation: head.generation, width: UInt32(clamping: width),
      height: UInt32(clamping: height), format: format, usage: usage, waits: !isShortOfMemory)
    lastRequest += 1
    var fds = ReceivedFDs()
    let reply = try ask(.createBuffer(create, request: lastRequest), lastRequest, id, fds: [], received: &fds)
    guard reply.bufferID == id, let fd = fds.take(0) else {
      throw .failed("framepathd answered without a descriptor")
    }
    guard
      let layout = FrameLayout(
        width: Int(reply.width), height: Int(reply.height), strideBytes: Int(reply.strideBytes), format: format)
    else { throw .failed("framepathd sent a buffer of \(reply.width)x\(reply.height), stride \(reply.strideBytes)") }
    do throws(SystemError) {
      guard try fd.byteCount() >= Int(clamping: reply.byteCount) else {
        throw SystemError(
          call: "buffer", code: EINVAL, subject: "it has fewer than the announced \(reply.byteCount) bytes")
      }
      let mapped = try MappedBuffer(
        fd: SharedFD(fd), kind: reply.memoryKind, layout: layout, byteCount: Int(clamping: reply.byteCount))
      register(id, scanout: scanout, head)
      return PresentBuffer(id: id, mapped: mapped)
    } catch {
      enqueue(.destroyBuffer(id))
      throw .failed(error.description)
    }
  }

  /// Imports pages as a buffer; waits for the daemon, 250 ms at most.
  ///
  /// - Parameters:
  ///   - layout: the picture in the pages.
  ///   - modifier: the DRM format modifier; 0 is linear.
  /// - Returns: the buffer's name.
  /// - Throws: `.refused` with the reason if the output cannot show them.
  public func importBuffer(
    scanout: Int, layout: FrameLayout, modifier: UInt64 = 0, pages: ImportedPages
  ) throws(PresentClientError) -> UInt32 {
    let head = try connectedHead(scanout)
    let id = nextBufferID()
    lastRequest += 1
    var message = ImportBuffer(
      bufferID: id, scanout: UInt32(scanout), generation: head.generation, layout: layout, modifier: modifier,
      memoryKind: .dmaBuf, rangeCount: 0, waits: !isShortOfMemory)
    var received = ReceivedFDs()
    switch pages {
    case .dmaBuf(let fd):
      _ = try ask(.importBuffer(message, request: lastRequest), lastRequest, id, fds: [fd], received: &received)
    case .memfd(let ranges):
      var fds: [Int32] = []
      let entries = ranges.map { range in
        let index = fds.firstIndex(of: range.fd) ?? fds.count
        if index == fds.count { fds.append(range.fd) }
        return ImportRanges.Entry(descriptor: index, offset: range.offset, byteCount: range.byteCount)
      }
      guard !entries.isEmpty, entries.count <= PresentLimits.rangeCount, fds.count < PresentLimits.descriptorCount
      else {
        throw .failed("\(entries.count) ranges of \(fds.count) memfds do not fit into a message")
      }
      message.memoryKind = .memfd
      message.rangeCount = entries.count
      let list = try rangeList(entries)
      fds.insert(list.raw, at: 0)
      _ = try ask(.importBuffer(message, request: lastRequest), lastRequest, id, fds: fds, received: &received)
    }
    register(id, scanout: scanout, head)
    return id
  }

  private func rangeList(_ entries: [ImportRanges.Entry]) throws(PresentClientError) -> OwnedFD {
    do throws(SystemError) { return try ImportRanges.list(entries) } catch { throw .failed(error.description) }
  }

  private func connectedHead(_ scanout: Int) throws(PresentClientError) -> OutputDescription {
    guard connection != nil else { throw .notConnected("framepathd is not running at \(path)") }
    guard let head = output(scanout) else { throw .notConnected("framepathd has not announced scanout \(scanout)") }
    return head
  }

  /// A buffer whose generation ended during the request no longer exists.
  private func register(_ id: UInt32, scanout: Int, _ asked: OutputDescription) {
    if output(scanout)?.generation == asked.generation { buffers[id] = BufferRecord(scanout: scanout) }
  }

  private enum Answer {
    case reply(BufferReply)
    case refused(ErrorMessage)
    case timedOut
    case lost
  }

  /// Sends a request and waits for its BUFFER or ERROR.
  ///
  /// A request that waits for memory is withdrawn at the timeout, and from then on requests do not wait until one
  /// succeeds: a VM's backend must not wait at every frame.
  private func ask(
    _ message: ClientMessage, _ request: UInt64, _ id: UInt32, fds: [Int32], received: inout ReceivedFDs
  ) throws(PresentClientError) -> BufferReply {
    switch answer(to: message, request, fds: fds, received: &received) {
    case .reply(let reply):
      isShortOfMemory = false
      return reply
    case .refused(let error): throw .refused(error)
    case .timedOut:
      isShortOfMemory = true
      enqueue(.destroyBuffer(id))
      throw .timedOut
    case .lost: throw .notConnected("framepathd closed the connection")
    }
  }

  /// Keeps all other messages for the loop.
  private func answer(
    to message: ClientMessage, _ request: UInt64, fds: [Int32], received: inout ReceivedFDs
  ) -> Answer {
    let deadline = monotonicNanoseconds() + UInt64(PresentClient.answerMilliseconds) * 1_000_000
    var isSent = false
    do {
      while let connection {
        if !isSent {
          flush()
          isSent = try queue.isEmpty && connection.send(message, fds: fds)
        }
        while let answer = try connection.receiveServerMessage(fds: &received) {
          switch answer {
          case .buffer(let reply, request: request): return .reply(reply)
          case .error(let error, request: request): return .refused(error)
          default: if let event = accept(answer) { post(event) }
          }
        }
        guard try connection.wait(for: isSent ? .readable : [.readable, .writable], until: deadline) else {
          return .timedOut
        }
      }
    } catch {
      lose("\(error)")
    }
    return .lost
  }
}

/// The client's state of a buffer.
struct BufferRecord {
  var scanout: Int
  /// The last frame that was presented with it.
  var lastFrame: UInt64 = 0
}
