import LinuxIO
import VhostUser

/// QEMU's connection: the first one to a listening socket, or an inherited descriptor.
final class FrontendSocket {
  private let loop: EventLoop
  private let log: Log
  private let serve: (consuming UnixSocket) throws -> BackendSession<GPUBackend>
  private var listener: UnixSocket?
  private var source: EventLoop.Source?
  private var session: BackendSession<GPUBackend>?
  private var path: String?

  init(
    loop: EventLoop, log: Log, serve: @escaping (consuming UnixSocket) throws -> BackendSession<GPUBackend>
  ) {
    self.loop = loop
    self.log = log
    self.serve = serve
  }

  /// Waits for one connection, then removes the socket file.
  func listen(_ path: String) throws {
    let listener = try UnixSocket.listenReplacing(path)
    try listener.fd.setNonblocking()
    source = try loop.add(listener.fd.raw) { [weak self] _ in self?.accept() }
    self.listener = consume listener
    self.path = path
  }

  /// Serves an inherited socket.
  func take(_ number: Int32) throws {
    let fd = OwnedFD(taking: number)
    try fd.setCloseOnExec()
    session = try serve(UnixSocket(taking: fd))
  }

  /// Ends the session, or stops listening.
  func close() {
    if let source { loop.remove(source) }
    source = nil
    listener = nil
    session = nil
    if let path { removeFile(path) }
    path = nil
  }

  private func accept() {
    do {
      guard let socket = try listener?.accept() else { return }
      if let source { loop.remove(source) }
      source = nil
      listener = nil
      if let path { removeFile(path) }
      path = nil
      session = try serve(socket)
    } catch {
      log.error("\(error)")
      loop.stop()
    }
  }
}
