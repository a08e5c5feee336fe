import DaemonSettings
import LinuxIO
import PresentProtocol

/// One client's connection.
///
/// Whatever the client does wrong ends this session with one line in the log, and nothing else.
final class ClientSession {
  let peer: PeerCredentials
  let account: MemoryAccount
  private(set) var hello: Hello?
  private(set) var heads: [Surface] = []
  /// The regions that surfaces take their frames from.
  private var regions: [ScanoutID: RegionFeed] = [:]
  private(set) var isClosed = false
  /// Requests for buffers, and those that wait for memory.
  private(set) lazy var requests = BufferRequests(account, maker: self)
  unowned let server: Server
  private let connection: PresentConnection
  private var source: EventLoop.Source?
  private var wantsWritable = false
  private var framePace = MessagePace.frames
  private var importPace = MessagePace.imports
  /// Until when nothing is read from a client that presents too much.
  private(set) var pausedUntilNanoseconds: UInt64?

  private var outbox: Outbox
  /// Whether `sendBatch` will be called at the end of this round.
  private var isInRound = false

  init(_ connection: PresentConnection, server: Server) throws(SystemError) {
    self.connection = connection
    outbox = Outbox(connection)
    self.server = server
    peer = try connection.peerCredentials()
    account = server.memory.open()
    source = try server.loop.add(connection.descriptor) { [unowned self] ready in handle(ready) }
  }

  /// The name from HELLO; empty before it.
  var name: String { hello?.name ?? "" }

  /// How the host wants this client to be treated.
  var settings: VMSettings { server.settings(ofVM: name) }

  /// The groups that the client's process has beside its main one.
  var peerGroups: [UInt32] { connection.peerGroups() }

  /// Whether the other end is gone, told without reading what it has sent.
  var isHungUp: Bool {
    guard let ready = try? waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: 0) else { return true }
    return ready.contains(.hangUp)
  }

  func log(_ text: String) {
    server.log("\(hello?.name ?? "client") (process \(peer.pid)): \(text)")
  }

  // MARK: - Receiving

  private func handle(_ ready: Readiness) {
    if pausedUntilNanoseconds != nil, ready.contains(.hangUp) { return close("disconnected") }
    if ready.contains(.writable) { flush() }
    // A bounded number, so that other clients get their turn.
    for _ in 0..<32 where !isClosed {
      var fds = ReceivedFDs()
      do throws(PresentProtocolError) {
        guard let message = try connection.receiveClientMessage(fds: &fds) else { return }
        accept(message, &fds)
        switch message {
        case .present:
          if server.clients.isShared, let until = framePace.pause(at: server.clock.nowNanoseconds) { pause(until) }
          // A frame is mostly all for a while, and the loop tells of more: a call less, and others get their turn.
          return
        case .importBuffer:
          if server.clients.isShared, let until = importPace.pause(at: server.clock.nowNanoseconds) {
            return pause(until)
          }
        default: break
        }
      } catch {
        switch error {
        case .closed: close(hello?.kind == .tool ? nil : "disconnected")
        case .otherVersion: fail(.version, error.description)
        case .malformed(let how): fail(.malformed, how)
        case .system(let error): close(error.description)
        }
      }
    }
  }

  private func accept(_ message: ClientMessage, _ fds: inout ReceivedFDs) {
    if case .hello(let hello) = message {
      guard self.hello == nil else { return fail(.malformed, "HELLO came twice") }
      return welcome(hello)
    }
    guard hello != nil else { return fail(.malformed, "the first message is not HELLO") }
    switch message {
    case .hello: break
    case .createBuffer(let create, let request): createBuffer(create, RequestID(wire: request))
    case .importBuffer(let imported, let request): importBuffer(imported, RequestID(wire: request), &fds)
    case .destroyBuffer(let id): destroyBuffer(BufferID(wire: id))
    case .present(let frame): present(frame, &fds)
    case .disable(let index): head(ScanoutID(wire: index))?.blank()
    case .cursor(let cursor): setCursor(cursor)
    case .path(let index, let path, let reason):
      head(ScanoutID(wire: index))?.setPath(path, reason: reason)
      server.changes.note(.vms)
    case .status(let request):
      server.changes.looked(self)
      server.reports.begin(.status, for: self, RequestID(wire: request))
    case .snapshot(let subject, let request): answerSnapshot(subject, RequestID(wire: request))
    case .settings(let count, let request): changeSettings(count, RequestID(wire: request), &fds)
    case .focus(let vm, let request): focus(onVM: vm, RequestID(wire: request))
    case .revoke(let output, let ofLease, let request): revoke(output, ofLease: ofLease, RequestID(wire: request))
    case .trace(let request): server.reports.begin(.trace, for: self, RequestID(wire: request))
    case .region(let region): attachRegion(region, &fds)
    case .lease(let output, let request): requestLease(of: output, RequestID(wire: request))
    case .syncPoints(let points, let request): setSyncPoints(points, RequestID(wire: request), &fds)
    case .subscribe(let kinds, let request):
      server.changes.subscribe(self, kinds, RequestID(wire: request), server.presenters)
    }
  }

  private func welcome(_ hello: Hello) {
    if let (code, text) = server.objection(to: hello) {
      self.hello = hello
      return fail(code, text)
    }
    self.hello = hello
    server.refusals.forget(pid: peer.pid, name: hello.name)
    if hello.scanoutCount > 0 {
      account.limit(to: settings.memoryLimitBytes ?? server.memory.settings.limitBytes)
    }
    heads = (0..<hello.scanoutCount).map { index in
      Surface(
        id: ScanoutID(index), vmName: hello.name, wish: wish(of: index), settings: settings, owner: self,
        loop: server.loop)
    }
    send(.welcome(Welcome(scanoutCount: heads.count, memoryLimitBytes: UInt64(account.limitBytes))))
    if hello.kind == .tool && heads.isEmpty { return }
    log("connected with \(heads.count) scanout\(heads.count == 1 ? "" : "s")")
    server.placement.place(heads)
  }

  /// The output that a scanout is to be on: the host's word goes before the client's.
  func wish(of index: Int) -> String {
    if settings.outputs.indices.contains(index) { return settings.outputs[index] }
    guard let hello, hello.outputs.indices.contains(index) else { return "" }
    return hello.outputs[index]
  }

  /// The scanout of that index; a wrong one ends the session.
  func head(_ scanout: ScanoutID) -> Surface? {
    if heads.indices.contains(scanout.index) { return heads[scanout.index] }
    fail(.malformed, "there is no scanout \(scanout) among \(heads.count)")
    return nil
  }

  // MARK: - Regions

  /// The region that a surface takes its frames from; nil while they come by messages.
  func region(of surface: Surface) -> RegionFeed? { regions[surface.id] }

  /// Has a surface take its frames from a region from now on.
  func begin(_ region: RegionFeed, on surface: Surface) {
    regions[surface.id] = region
    surface.owner = region
    surface.setPath(.direct, reason: "")
    region.start()
  }

  /// Another host may serve the region from now on.
  private func endRegion(of surface: Surface) {
    guard let region = regions.removeValue(forKey: surface.id) else { return }
    region.stop()
    region.forgetBuffers()
    surface.owner = self
  }

  /// Has the client make its buffers again.
  func renewBuffers() { for surface in heads where region(of: surface) == nil { surface.renewBuffers() } }

  /// Takes other settings of the client's VM.
  func take(_ settings: VMSettings) { for surface in heads { surface.settings = settings } }

  // MARK: - Sending

  /// Sends a message, those without a descriptor together with others of this round: one call per client and flip.
  func send(_ message: ServerMessage, fd: SharedFD? = nil) {
    if isClosed { return }
    do throws(PresentProtocolError) {
      if try outbox.add(message, fd: fd) { return joinRound() }
    } catch {
      // The hang-up is told by the loop: closing here would change what callers are walking through.
      return
    }
    if outbox.waitingCount == 1 { watchWritable(true) }
    if outbox.waitingCount > server.options.waitingMessageLimit {
      server.clients.drop(self, "does not read its messages")
    }
  }

  private func joinRound() {
    if isInRound || !outbox.hasBatch { return }
    isInRound = true
    server.rounds.willSend(self)
  }

  /// The round is over.
  func sendBatch() {
    isInRound = false
    if isClosed { return }
    do throws(PresentProtocolError) {
      if try !outbox.sendBatch() { watchWritable(true) }
    } catch {
      // As in `send`.
    }
  }

  private func flush() {
    do throws(PresentProtocolError) {
      let isSent = try outbox.sendWaiting()
      joinRound()
      if isSent { watchWritable(false) }
    } catch {
      close("disconnected")
    }
  }

  /// The client waits, as its socket's buffer fills; everybody else does not.
  private func pause(_ until: UInt64) {
    pausedUntilNanoseconds = until
    watch()
    server.pauses.add(self, until: until)
  }

  /// Reads again from a client whose pause is over.
  func resume(atNanoseconds now: UInt64) {
    guard let until = pausedUntilNanoseconds, until <= now else { return }
    pausedUntilNanoseconds = nil
    watch()
  }

  private func watchWritable(_ on: Bool) {
    wantsWritable = on
    watch()
  }

  private func watch() {
    guard let source else { return }
    var interest: Readiness = pausedUntilNanoseconds == nil ? .readable : []
    if wantsWritable { interest.insert(.writable) }
    do { try server.loop.modify(source, interest) } catch {
      server.clients.drop(self, "\(error)")
    }
  }

  // MARK: - Ending

  /// Answers a request, or a message without one, with an error.
  func refuse(_ code: PresentErrorCode, _ text: String, _ request: RequestID, about scanout: ScanoutID? = nil) {
    send(.error(ErrorMessage(code: code, scanout: scanout?.wire ?? 0, text: text.printable), request: request.wire))
  }

  /// Sends the client's fault to it and ends the session.
  func fail(_ code: PresentErrorCode, _ text: String) {
    refuse(code, text, .none)
    // A client that is refused tries again.
    let isNews = !heads.isEmpty || server.refusals.note(pid: peer.pid, name: hello?.name ?? "", reason: text)
    close(isNews ? "refused: \(text)" : nil)
  }

  /// Ends the session; its outputs go to whoever waits.
  func close(_ why: String?) {
    if isClosed { return }
    sendBatch()
    isClosed = true
    if let why { log(why) }
    if let source = source.take() { server.loop.remove(source) }
    server.reports.end(for: self)
    for presenter in server.presenters { presenter.endLeases(of: self) }
    for surface in heads { endRegion(of: surface) }
    server.placement.vacate(heads)
    heads = []
    account.end()
    server.ended(self)
  }
}
