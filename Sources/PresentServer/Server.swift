import DaemonSettings
import FrameScheduler
public import LinuxIO
public import Outputs
import PresentProtocol
public import StatusModel

/// An output with its name for clients.
public struct NamedOutput {
  /// The name: unique among the outputs of a server, at most 31 bytes.
  public var name: String
  /// The output.
  public var output: any Output
  /// Whether it is a stand-in: scanouts that did not request it leave it as soon as there is another output.
  public var isFallback: Bool

  /// An output with this name.
  public init(name: String, output: any Output, isFallback: Bool = false) {
    self.name = name
    self.output = output
    self.isFallback = isFallback
  }
}

/// The daemon's core: clients on one side, outputs on the other.
///
/// Everything runs on the loop's thread. Without frames and messages it sleeps.
public final class Server {
  /// The path of its frames socket.
  public var path: String { listener.path }
  /// The path of its control socket.
  public var controlPath: String { controlListener.path }

  let loop: EventLoop
  let options: ServerOptions
  let clients: ClientTable
  let placement: Placement
  let rounds = RoundEnd()
  /// Raises clients' eventfds; nil if the kernel cannot, so that their owners get messages.
  private(set) lazy var raiser = try? EventRaiser()
  /// Closes the clients' descriptors and connections.
  private let closer: DescriptorCloser
  let pauses: ReadPauses
  private let freedMemory: FreedMemory
  /// The memory for buffers of all clients.
  let memory: MemoryBroker
  /// The subscriptions to changes.
  let changes = ChangeFeed()
  private let listener: ClientListener
  private let controlListener: ClientListener
  /// Answers to STATUS, TRACE and SNAPSHOT that are being written.
  let reports: ReportWriter
  /// CLOCK_REALTIME of the start.
  let startedUnixNanoseconds = realtimeNanoseconds()
  private let write: (String) -> Void
  /// The host's settings of VMs, by name.
  private var vmSettings: [String: VMSettings] = [:]
  /// Recently refused clients, for the log.
  var refusals = RefusalMemory()
  /// The settings of outputs that are added later.
  var allOutputs = OutputSettings()
  private var syncDeviceSearch: SyncDevice??
  /// The status of the console and of input devices.
  public var seatStatus: () -> DaemonStatus.Seat? = { nil }
  private var isClosed = false
  private var monitorsAreAway = false
  /// `Mapping.faultCount` at the last look for missing memory.
  var seenFaultCount = Mapping.faultCount

  var clock: PresentClock { options.clock }
  /// What clients may take now.
  var limits: ClientLimits { clients.limits }
  var presenters: [Presenter] { placement.presenters }
  var sessions: [ClientSession] { clients.sessions }

  /// Listens, and takes over the outputs.
  ///
  /// - Parameters:
  ///   - socket: the listening frames socket.
  ///   - control: the listening control socket.
  ///   - makeParkedOutput: creates an off-screen output of this name, for a scanout without a free output.
  ///   - log: writes one line per event; never called per frame.
  public init(
    loop: EventLoop, outputs: [NamedOutput], socket: consuming ServerSocket, control: consuming ServerSocket,
    options: ServerOptions = ServerOptions(), makeParkedOutput: @escaping (String) throws -> any Output,
    log: @escaping (String) -> Void
  ) throws(ServerError) {
    self.loop = loop
    self.options = options
    // Lines contain names and texts from clients.
    let write: (String) -> Void = { log($0.printable) }
    self.write = write
    memory = MemoryBroker(limitBytes: options.memoryLimitBytes, clock: options.clock)
    placement = Placement(loop: loop, clock: options.clock, makeParkedOutput: makeParkedOutput, log: write)
    closer = DescriptorCloser(patienceMilliseconds: options.closePatienceMilliseconds)
    listener = ClientListener(socket, for: .frames, loop: loop, clock: options.clock, closer: closer)
    controlListener = ClientListener(control, for: .control, loop: loop, clock: options.clock, closer: closer)
    do throws(SystemError) {
      clients = try ClientTable(loop: loop, closer: closer, options)
      pauses = try ReadPauses(loop: loop, clock: options.clock)
      freedMemory = try FreedMemory(loop: loop, clock: options.clock)
      reports = try ReportWriter(loop, options.clock)
      for output in outputs { try placement.add(output) }
      try listen()
    } catch {
      throw .system(error)
    }
    // Unowned here and in all handlers of the loop: a weak reference would make every retain of its object slower.
    placement.onMove = { [unowned self] in changes.note(.vms) }
    loop.beforeWait = { [unowned self] in endRound() }
  }

  /// A server whose outputs keep their own names, which must be unique.
  public convenience init(
    loop: EventLoop, outputs: [any Output], socket: consuming ServerSocket, control: consuming ServerSocket,
    options: ServerOptions = ServerOptions(), makeParkedOutput: @escaping (String) throws -> any Output,
    log: @escaping (String) -> Void
  ) throws(ServerError) {
    try self.init(
      loop: loop, outputs: outputs.map { NamedOutput(name: $0.info.name, output: $0) }, socket: socket,
      control: control, options: options, makeParkedOutput: makeParkedOutput, log: log)
  }

  /// Ends all clients and closes the outputs. Must be called before the server is released, which removes the socket
  /// files.
  public func close() {
    if isClosed { return }
    isClosed = true
    loop.beforeWait = nil
    for listener in [listener, controlListener] { listener.stop() }
    pauses.stop()
    freedMemory.stop()
    clients.stop()
    reports.close()
    placement.stop()
  }

  func log(_ text: String) { write(text) }

  /// Logs a line about a user's client, unless there are too many; the next one tells how many were left out.
  func log(_ text: String, of user: ClientUser) {
    guard let leftOut = user.beginLine(at: clock.nowNanoseconds) else { return }
    if leftOut > 0 { write("clients of user \(user.uid): \(leftOut) lines left out") }
    write(text)
  }

  // MARK: - Iterations

  private func endRound() {
    // Placing and presenting may free memory that a client waits for. Moves come first: they end requests of the old
    // generation, which would take memory in vain.
    repeat {
      placement.endRound()
      memory.settle { decision in
        guard let session = clients.session(ofAccount: decision.vm), !session.isClosed else { return false }
        return session.requests.decided(decision)
      }
      rounds.endRegions()
    } while memory.hasDecisions || placement.isDue
    changes.endRound(presenters)
    endSpoilt()
    rounds.sendBatches()
    placement.budget.endIteration()
    closer.endRound()
  }

  // MARK: - Clients

  private func listen() throws(SystemError) {
    for listener in [listener, controlListener] {
      let purpose = listener.purpose
      try listener.start(
        log: write,
        onClient: { [unowned self] (client: consuming UnixSocket) throws(SystemError) in try admit(client, purpose) })
    }
  }

  private func admit(_ socket: consuming UnixSocket, _ purpose: SocketPurpose) throws(SystemError) {
    let peer = try socket.peerCredentials()
    let user = clients.users.user(peer.uid)
    let account = user.descriptors.subaccount()
    let connection = try PresentConnection(socket.owned(by: account))
    if let why = clients.users.objection(to: peer, user, purpose) {
      noteTurnedAway(peer, user, why)
      return connection.turnAway(ErrorMessage(code: .limit, text: why))
    }
    clients.add(try ClientSession(connection, account, of: user, by: purpose, server: self))
  }

  /// Logs a client that is not accepted, once per process and reason.
  private func noteTurnedAway(_ peer: PeerCredentials, _ user: ClientUser, _ why: String) {
    guard refusals.note(pid: peer.pid, name: "", reason: "limit") else { return }
    log("client (process \(peer.pid), user \(peer.uid)): turned away: \(why)", of: user)
  }

  /// Why a client is refused; nil if it is accepted.
  func objection(to hello: Hello, of session: ClientSession) -> (PresentErrorCode, String)? {
    if hello.kind == .tool && hello.scanoutCount == 0 { return nil }
    if session.purpose == .control {
      return (.malformed, "the control socket is for tools without scanouts; frames are shown by \(path)")
    }
    let settings = settings(ofVM: hello.name)
    if let why = settings.objection(toName: hello.name, of: session.peer, label: session.peerLabel) {
      return (.nameTaken, why)
    }
    if let other = clients.living(hello.name) {
      // Other users' processes are not this client's business.
      let isOwn = other.peer.uid == session.peer.uid
      let owner = isOwn ? "process \(other.peer.pid)" : "a client of another user"
      return (.nameTaken, "\(owner) is connected as \(hello.name)")
    }
    let names = presenters.map { $0.name }
    for wish in hello.outputs where !wish.isEmpty && !names.contains(wish) {
      return (.noSuchOutput, "there is no output \(wish); there are: \(names.joined(separator: ", "))")
    }
    return nil
  }

  /// Releases everything of a client whose connection has ended.
  func ended(_ session: ClientSession) {
    clients.remove(session)
    pauses.remove(session)
    freedMemory.left(session.hello?.scanoutCount ?? 0)
    changes.forget(session)
    if session.hello?.kind != .tool { changes.note(.vms) }
    for listener in [listener, controlListener] { listener.clientLeft() }
  }

  /// The host's settings of a VM.
  func settings(ofVM name: String) -> VMSettings { vmSettings[name] ?? VMSettings() }

  func remember(_ settings: VMSettings, ofVM name: String) {
    vmSettings[name] = settings
    for session in sessions where session.name == name { session.take(settings) }
  }

  // MARK: - Devices

  /// Adds an output at run time; a scanout that is parked or on a stand-in may get it.
  public func add(_ output: NamedOutput) throws(SystemError) {
    let presenter = try placement.add(output)
    if monitorsAreAway, output.output.info.kind == .kms { presenter.setAway(true) }
    settle(presenter)
    syncDeviceSearch = nil
  }

  /// Stops or resumes commits to monitors, while another console is shown and they are turned off.
  public func setMonitorsAway(_ areAway: Bool) {
    for presenter in presenters where presenter.output.info.kind == .kms { presenter.setAway(areAway) }
    monitorsAreAway = areAway
  }

  /// The device for clients' timelines; nil if no driver of this host supports them. Searched for when first needed,
  /// and again after an output was added.
  func syncDevice() -> SyncDevice? {
    if let found = syncDeviceSearch { return found }
    let found = SyncDevice.first()
    syncDeviceSearch = .some(found)
    return found
  }
}
