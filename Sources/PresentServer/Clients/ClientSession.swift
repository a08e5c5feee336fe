import DaemonSettings
import LinuxIO
import PresentProtocol

/// One client's connection.
///
/// A protocol error of the client ends this session with one log line and does not affect other clients.
final class ClientSession {
  let peer: PeerCredentials
  let account: MemoryAccount
  private(set) var hello: Hello?
  private(set) var surfaces: [Surface] = []
  /// The regions that surfaces take their frames from.
  var regions: [ScanoutID: RegionFeed] = [:]
  private(set) var isClosed = false
  private(set) lazy var requests = BufferRequests(account, maker: self)
  unowned let server: Server
  private let connection: PresentConnection
  let user: ClientUser
  /// The connection, what the client has sent, and what the daemon has opened for it.
  let descriptors: DescriptorAccount
  /// The socket that it is connected to.
  let purpose: SocketPurpose
  /// Its place in the table of rights; settled by HELLO.
  private(set) var role: ClientRole
  /// What the loop watches the connection for.
  private var watch: ConnectionWatch
  private var framePace = MessagePace.frames
  private var importPace = MessagePace.imports
  /// The time until which nothing is read from a client that presents too often.
  private(set) var pausedUntilNanoseconds: UInt64? { didSet { updateWatch() } }
  /// A request whose answer waits until the client has read its messages; nothing is read from the client meanwhile.
  private(set) var waitingInquiry: (Inquiry, RequestID)? { didSet { updateWatch() } }
  private var scanoutDescriptors: DescriptorHold?
  /// The memory of the last snapshot.
  var charge: SnapshotCharge?
  /// What is in force in the VM's device; nil if the client has not reported it.
  var device: DeviceSettings?

  private var outbox: Outbox
  /// Whether `sendBatch` will be called at the end of this loop iteration.
  private var isInRound = false

  init(
    _ connection: PresentConnection, _ descriptors: DescriptorAccount, of user: ClientUser, by purpose: SocketPurpose,
    server: Server
  ) throws(SystemError) {
    self.connection = connection
    self.descriptors = descriptors
    self.user = user
    self.purpose = purpose
    role = purpose == .control ? .control : .framesWithoutScanouts
    outbox = Outbox(connection, descriptorLimit: server.limits.unreadDescriptors)
    self.server = server
    peer = try connection.peerCredentials()
    peerLabel = connection.peerLabel()
    account = server.memory.open()
    watch = ConnectionWatch(server.loop)
    try watch.begin(connection.descriptor) { [unowned self] ready in handle(ready) }
  }

  /// The name from HELLO; empty before it.
  var name: String { hello?.name ?? "" }

  /// The host's settings for this client's VM.
  var settings: VMSettings { server.settings(ofVM: name) }

  /// The security label of the client's process; nil without one.
  let peerLabel: String?

  /// The supplementary groups of the client's process.
  var peerGroups: [UInt32] { connection.peerGroups() }

  /// Whether the client has disconnected. Does not read pending messages.
  var isHungUp: Bool {
    guard let ready = try? waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: 0) else { return true }
    return ready.contains(.hangUp)
  }

  func log(_ text: String) {
    let isTool = hello?.kind == .tool && hello?.scanoutCount == 0
    server.log("\(isTool ? "tool " : "")\(hello?.name ?? "client") (process \(peer.pid)): \(text)", of: user)
  }

  // MARK: - Receiving

  private func handle(_ ready: Readiness) {
    if !isReading, ready.contains(.hangUp) { return disconnected() }
    if ready.contains(.writable) {
      if watch.wantsWritable { flush() }
      inquireAgain()
    }
    // Bounded, so that other clients are served too.
    for _ in 0..<32 where !isClosed && isReading {
      if descriptors.closingCount > server.limits.unclosedPerClient {
        return fail(.malformed, "more than \(server.limits.unclosedPerClient) of its descriptors cannot be closed")
      }
      var fds = ReceivedFDs(of: descriptors)
      do throws(PresentProtocolError) {
        guard let message = try connection.receiveClientMessage(fds: &fds) else { return }
        if let why = objection(to: fds) { refuse(message, without: why) } else { accept(message, &fds) }
        switch message {
        case .present:
          if server.clients.isShared, let until = framePace.pause(at: server.clock.nowNanoseconds) { pause(until) }
          // A frame is usually the last message for now. This saves a read; the loop reports further messages.
          return
        case .importBuffer:
          if server.clients.isShared, let until = importPace.pause(at: server.clock.nowNanoseconds) {
            return pause(until)
          }
        default: break
        }
      } catch {
        switch error {
        case .closed: disconnected()
        case .otherVersion: fail(.version, error.description)
        case .malformed(let how): fail(.malformed, how)
        case .system(let error): close(error.description)
        }
      }
    }
  }

  func accept(_ message: ClientMessage, _ fds: inout ReceivedFDs) {
    if case .hello(let hello) = message {
      guard self.hello == nil else { return fail(.malformed, "duplicate HELLO") }
      return welcome(hello)
    }
    guard hello != nil else { return fail(.malformed, "the first message is not HELLO") }
    guard MessageRights.right(of: role, to: message.type) != .denied else { return deny(message) }
    switch message {
    case .hello: break
    case .createBuffer(let create, let request): createBuffer(create, RequestID(wire: request))
    case .importBuffer(let imported, let request): importBuffer(imported, RequestID(wire: request), &fds)
    case .destroyBuffer(let id): destroyBuffer(BufferID(wire: id))
    case .present(let frame): present(frame, &fds)
    case .disable(let index): surface(ScanoutID(wire: index))?.blank()
    case .cursor(let cursor): setCursor(cursor)
    case .path(let index, let path, let reason):
      surface(ScanoutID(wire: index))?.setPath(path, reason: reason)
      server.changes.note(.vms)
    case .status(let request): inquire(.status, RequestID(wire: request))
    case .snapshot(let subject, let request): inquire(.snapshot(subject), RequestID(wire: request))
    case .settings(let count, let request): changeSettings(count, RequestID(wire: request), &fds)
    case .focus(let vm, let request): focus(onVM: vm, RequestID(wire: request))
    case .revoke(let output, let ofLease, let request): revoke(output, ofLease: ofLease, RequestID(wire: request))
    case .trace(let request): inquire(.trace, RequestID(wire: request))
    case .region(let region): attachRegion(region, &fds)
    case .lease(let output, let request): requestLease(of: output, RequestID(wire: request))
    case .syncPoints(let points, let request): setSyncPoints(points, RequestID(wire: request), &fds)
    case .subscribe(let kinds, let request):
      server.changes.subscribe(self, kinds, RequestID(wire: request), server.presenters)
    case .device(let device): noteDevice(device)
    }
  }

  private func welcome(_ hello: Hello) {
    if let (code, text) = server.objection(to: hello, of: self) {
      self.hello = hello
      return fail(code, text)
    }
    self.hello = hello
    let taken = user.scanoutCount
    if taken + hello.scanoutCount > server.limits.scanoutsPerUser {
      return fail(
        .limit,
        "the clients of user \(user.uid) have \(taken) scanouts; the limit for a user is \(server.limits.scanoutsPerUser)"
      )
    }
    if purpose == .frames, hello.scanoutCount > 0 { role = .framesWithScanouts }
    server.clients.introduced(self)
    server.refusals.forget(pid: peer.pid, name: hello.name)
    if hello.scanoutCount > 0 {
      account.limit(to: settings.memoryLimitBytes ?? server.memory.settings.limitBytes)
    }
    surfaces = (0..<hello.scanoutCount).map { index in
      Surface(
        id: ScanoutID(index), vmName: hello.name, wish: wish(of: index), settings: settings, owner: self,
        loop: server.loop)
    }
    user.scanoutCount += surfaces.count
    // For the off-screen outputs of those that are parked.
    scanoutDescriptors = surfaces.isEmpty ? nil : DescriptorHold(surfaces.count, for: descriptors)
    send(.welcome(Welcome(scanoutCount: surfaces.count, memoryLimitBytes: UInt64(account.limitBytes))))
    if hello.kind == .tool && surfaces.isEmpty { return }
    log("connected with \(surfaces.count) scanout\(surfaces.count == 1 ? "" : "s")")
    server.placement.place(surfaces)
  }

  /// Applies new limits.
  func take(_ limits: ClientLimits) { outbox.descriptorLimit = limits.unreadDescriptors }

  // MARK: - Sending

  /// Sends a message. Messages without a descriptor are batched, with one system call per loop iteration.
  func send(_ message: ServerMessage, fd: SharedFD? = nil) {
    if isClosed { return }
    do throws(PresentProtocolError) {
      if try outbox.add(message, fd: fd) { return joinRound() }
    } catch {
      // The loop reports the hang-up. Closing here would change lists that callers iterate over.
      return
    }
    if outbox.waitingCount == 1 { watchWritable(true) }
    if outbox.waitingCount > server.limits.unreadMessages {
      server.clients.drop(self, "does not read its messages")
    }
  }

  private func joinRound() {
    if isInRound || !outbox.hasBatch { return }
    isInRound = true
    server.rounds.willSend(self)
  }

  /// Sends the batch at the end of the loop iteration.
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
      watchWritable(!isSent)
    } catch {
      close("disconnected")
    }
  }

  /// Stops reading from this client until a time. Only this client blocks, once its socket buffer is full.
  private func pause(_ until: UInt64) {
    pausedUntilNanoseconds = until
    server.pauses.add(self, until: until)
  }

  /// Resumes reading if the pause is over.
  func resume(atNanoseconds now: UInt64) {
    if let until = pausedUntilNanoseconds, until <= now { pausedUntilNanoseconds = nil }
  }

  /// Stops reading until the client has read its messages.
  func wait(with inquiry: Inquiry, _ request: RequestID) { waitingInquiry = (inquiry, request) }

  func endWaiting() { waitingInquiry = nil }

  /// Whether the client has read all that was sent, and nothing waits to be sent.
  var hasNothingUnread: Bool { outbox.waitingCount == 0 && !outbox.hasBatch && !connection.hasUnreadAtPeer }

  private func watchWritable(_ on: Bool) {
    watch.wantsWritable = on
    updateWatch()
  }

  /// Whether the client has to read before its messages are read.
  private var waitsForReading: Bool { waitingInquiry != nil || outbox.waitsForReading }

  /// Whether messages of the client are read.
  private var isReading: Bool { pausedUntilNanoseconds == nil && !waitsForReading }

  private func updateWatch() {
    do throws(SystemError) {
      try watch.update(isReading: isReading, waitsForReading: waitsForReading)
    } catch { server.clients.drop(self, "\(error)") }
  }

  // MARK: - Ending

  /// The client has gone; that of a tool is no news.
  func disconnected() { close(hello?.kind == .tool ? nil : "disconnected") }

  /// Ends the session; its outputs go to waiting clients.
  func close(_ why: String?) {
    if isClosed { return }
    sendBatch()
    isClosed = true
    if let why { log(why) }
    connection.shutDown()
    watch.end()
    server.reports.end(for: self)
    charge = nil
    for presenter in server.presenters { presenter.endLeases(of: self) }
    for surface in surfaces { endRegion(of: surface) }
    server.placement.vacate(surfaces)
    user.scanoutCount -= surfaces.count
    scanoutDescriptors = nil
    surfaces = []
    account.end()
    server.ended(self)
  }
}
