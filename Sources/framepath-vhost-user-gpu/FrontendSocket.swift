import LinuxIO
import Sandbox
import VhostUser

/// QEMU's connection, which the launcher accepts or has inherited.
final class FrontendSocket {
  private let loop: EventLoop
  private let log: Log
  private let link: WorkerLink
  private let serve: (consuming UnixSocket) throws -> BackendSession<GPUBackend>
  private var source: EventLoop.Source?
  private var session: BackendSession<GPUBackend>?

  init(
    loop: EventLoop, log: Log, link: WorkerLink,
    serve: @escaping (consuming UnixSocket) throws -> BackendSession<GPUBackend>
  ) {
    self.loop = loop
    self.log = log
    self.link = link
    self.serve = serve
  }

  /// Waits for one connection; from now on QEMU can connect.
  func open() throws {
    source = try loop.add(link.frontendDescriptor) { [weak self] _ in self?.take() }
    try link.requestFrontend()
  }

  /// Ends the session, or stops waiting.
  func close() {
    stopWaiting()
    session = nil
  }

  private func stopWaiting() {
    if let source { loop.remove(source) }
    source = nil
  }

  private func take() {
    do {
      guard let socket = try link.takeFrontend() else { return }
      stopWaiting()
      session = try serve(socket)
    } catch {
      log.error("\(error)")
      loop.stop()
    }
  }
}
