import LinuxIO

/// The socket of VHOST_USER_GPU_SET_SOCKET, through which a backend can draw in QEMU's windows.
///
/// This backend never sends anything here, which docs/interop/vhost-user-gpu.rst allows: only the backend makes
/// requests on this socket. So there is no codec: received bytes are discarded, and the end of file is the first sign
/// of a pause. (Sending would be harmful too: QEMU blocks its main loop reading an UPDATE, and 7.2 never answers
/// GET_EDID.)
@safe final class GPUSocket {
  private let socket: UnixSocket
  private let loop: EventLoop
  private var source: EventLoop.Source?
  private let onClosed: () -> Void

  init(_ socket: consuming UnixSocket, loop: EventLoop, onClosed: @escaping () -> Void) throws(SystemError) {
    self.socket = socket
    self.loop = loop
    self.onClosed = onClosed
    source = try loop.add(self.socket.fd.raw) { [weak self] _ in self?.drain() }
  }

  deinit { close() }

  func close() {
    if let source { loop.remove(source) }
    source = nil
  }

  private func drain() {
    let result: ReceiveResult
    do throws(SystemError) {
      result = try unsafe withDrainBuffer { (buffer) throws(SystemError) in
        var fds = ReceivedFDs()
        return try unsafe socket.receive(into: buffer, fds: &fds, wait: false)
      }
    } catch {
      result = .closed
    }
    guard result == .closed else { return }
    close()
    onClosed()
  }

  private func withDrainBuffer(
    _ body: (UnsafeMutableRawBufferPointer) throws(SystemError) -> ReceiveResult
  ) throws(SystemError) -> ReceiveResult {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { unsafe buffer.deallocate() }
    return try unsafe body(buffer)
  }
}
