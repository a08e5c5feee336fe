import FrameScheduler
public import LinuxIO
public import Outputs
import PresentProtocol

/// An output, and what clients call it.
public struct NamedOutput {
  /// Unique among the outputs of a server; at most 31 bytes.
  public var name: String
  /// The output.
  public var output: any Output
  /// Whether it only stands in for a monitor: scanouts without a wish leave it as soon as there is another.
  public var isFallback: Bool

  /// An output of that name.
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
  /// Where it listens.
  public var path: String { socket.path }

  let loop: EventLoop
  let options: ServerOptions
  /// One per real output.
  private(set) var presenters: [Presenter]
  private(set) var sessions: [ClientSession] = []
  /// What there is for buffers of all clients.
  let memory: MemoryBroker
  /// Who is told of changes.
  let changes = ChangeFeed()
  private let makeParkedOutput: (String) throws -> any Output
  private let write: (String) -> Void
  private let socket: ServerSocket
  private var listening: EventLoop.Source?
  private var isListeningPaused = false
  private var parkedCount = 0
  /// What the host has said of VMs, by name.
  private var vmSettings: [String: VMSettings] = [:]
  private var isClosed = false
  /// Clients to be ended once nobody walks through the lists.
  private var dropped: [(session: ClientSession, why: String)] = []
  /// Clients for whom messages of this round wait.
  private var unsent: [ClientSession] = []
  /// Regions for which something is to be done at the end of this round.
  private var marked: [RegionFeed] = []
  /// When the next client that presents too much is read from again.
  private let resumeTimer: TimerFD
  private var resumeSource: EventLoop.Source?
  private var resumeNanoseconds = UInt64.max
  private var isPlacementDue = false
  /// What all outputs were told last, each setting once.
  var standing: [SettingsPlan.OutputChange] = []
  private var foundSyncDevice: SyncDevice?
  private let wake: EventFD
  private var wakeSource: EventLoop.Source?

  /// Listens, and takes over the outputs.
  ///
  /// - Parameters:
  ///   - socket: where clients connect.
  ///   - makeParkedOutput: makes an off-screen output of that name, for a scanout that no real one is free for.
  ///   - log: takes one line per event; never called for a frame.
  public init(
    loop: EventLoop, outputs: [NamedOutput], socket: consuming ServerSocket, options: ServerOptions = ServerOptions(),
    makeParkedOutput: @escaping (String) throws -> any Output, log: @escaping (String) -> Void
  ) throws(ServerError) {
    self.loop = loop
    self.options = options
    memory = MemoryBroker(limitBytes: options.memoryLimitBytes)
    self.makeParkedOutput = makeParkedOutput
    write = log
    self.socket = socket
    do throws(SystemError) {
      var made: [Presenter] = []
      for entry in outputs {
        made.append(try Presenter(entry.output, name: entry.name, isFallback: entry.isFallback, loop: loop))
      }
      presenters = made
      wake = try EventFD()
      resumeTimer = try TimerFD()
      resumeSource = try loop.add(resumeTimer.fd.raw, [.readable, .edge]) { [unowned self] _ in resumePaused() }
      wakeSource = try loop.add(wake.fd.raw) { [unowned self] _ in endDropped() }
      listening = try loop.add(self.socket.listener.fd.raw) { [unowned self] _ in acceptClients() }
    } catch {
      throw .system(error)
    }
    unsent.reserveCapacity(64)
    marked.reserveCapacity(64)
    // Unowned here and in all the loop calls: a weak reference would send each retain of its object through a table.
    loop.beforeWait = { [unowned self] in
      // What a round's end shows or places may free memory for which somebody waits.
      repeat {
        settleMemory()
        endRound()
      } while memory.hasDecisions
      changes.endRound(presenters)
      sendBatches()
    }
    for presenter in presenters { watch(presenter) }
  }

  /// The same with outputs that keep their own names, which must differ.
  public convenience init(
    loop: EventLoop, outputs: [any Output], socket: consuming ServerSocket, options: ServerOptions = ServerOptions(),
    makeParkedOutput: @escaping (String) throws -> any Output, log: @escaping (String) -> Void
  ) throws(ServerError) {
    try self.init(
      loop: loop, outputs: outputs.map { NamedOutput(name: $0.info.name, output: $0) }, socket: socket,
      options: options, makeParkedOutput: makeParkedOutput, log: log)
  }

  /// Ends all clients and gives the outputs back; must come before the server is let go. The socket file goes with the
  /// server itself.
  public func close() {
    if isClosed { return }
    isClosed = true
    loop.beforeWait = nil
    if let source = listening.take() { loop.remove(source) }
    if let source = wakeSource.take() { loop.remove(source) }
    if let source = resumeSource.take() { loop.remove(source) }
    for session in sessions { session.close(nil) }
    sessions = []
    for presenter in presenters { presenter.close() }
  }

  func log(_ text: String) { write(text) }

  // MARK: - Clients

  private func acceptClients() {
    // A bounded number, so that frames get their turn.
    for _ in 0..<16 {
      do throws(SystemError) {
        guard sessions.count < options.connectionLimit else { return pauseListening("\(sessions.count) clients") }
        guard let client = try socket.listener.accept() else { return }
        sessions.append(try ClientSession(PresentConnection(client), server: self))
      } catch {
        if error.isShortage { return pauseListening(error.description) }
        log("a client could not be accepted: \(error)")
      }
    }
  }

  /// No more clients until one leaves: a listener that is always ready would keep the loop busy.
  private func pauseListening(_ why: String) {
    guard !isListeningPaused, let listening else { return }
    isListeningPaused = true
    log("no further clients until one leaves: \(why)")
    do { try loop.modify(listening, []) } catch { log("\(error)") }
  }

  /// Why a client is not welcome, or nil.
  func objection(to hello: Hello) -> (PresentErrorCode, String)? {
    if hello.kind == .tool && hello.scanoutCount == 0 { return nil }
    for session in sessions where session.hello?.name == hello.name && !session.heads.isEmpty {
      if session.isHungUp {
        session.close("disconnected")
        break
      }
      return (.nameTaken, "process \(session.peer.pid) is connected as \(hello.name)")
    }
    let names = presenters.map { $0.name }
    for wish in hello.outputs where !wish.isEmpty && !names.contains(wish) {
      return (.noSuchOutput, "there is no output \(wish); there are: \(names.joined(separator: ", "))")
    }
    return nil
  }

  /// Ends a session from the loop, for callers in the midst of its lists.
  func drop(_ session: ClientSession, _ why: String) {
    dropped.append((session, why))
    wake.signal()
  }

  private func endDropped() {
    wake.drain()
    let ended = dropped
    dropped = []
    for (session, why) in ended { session.close(why) }
  }

  /// A client's messages are to go out in one packet at the end of this round.
  func willSend(_ session: ClientSession) { unsent.append(session) }

  /// Whether there is anybody whom a hasty client could keep from being served.
  var isShared: Bool { sessions.count > 1 }

  /// Asks for a paused client to be read from again.
  func resumeReading(atNanoseconds time: UInt64) {
    guard time < resumeNanoseconds else { return }
    resumeNanoseconds = time
    resumeTimer.arm(deadlineNanoseconds: time)
  }

  private func resumePaused() {
    resumeNanoseconds = .max
    let now = monotonicNanoseconds()
    for session in sessions {
      session.resume(atNanoseconds: now)
      if let until = session.pausedUntilNanoseconds { resumeReading(atNanoseconds: until) }
    }
  }

  /// A region has frames to present, or its guest is to be told something, at the end of this round.
  func willEndRound(_ feed: RegionFeed) { marked.append(feed) }

  /// There is room on an output: whoever waits for it is placed at the end of this round.
  func willPlaceWaiting() { isPlacementDue = true }

  private func endRound() {
    if isPlacementDue, !isClosed {
      isPlacementDue = false
      placeWaiting()
    }
    if marked.isEmpty { return }
    // What is presented may end at once, and mark its region again: bounded by what a ring holds.
    var index = 0
    while index < marked.count {
      marked[index].endRound()
      index += 1
    }
    marked.removeAll(keepingCapacity: true)
  }

  /// Where clients' timelines are waited for and signalled; nil where no driver of this host can. Asked for when it is
  /// first needed.
  func syncDevice() -> SyncDevice? {
    if foundSyncDevice == nil { foundSyncDevice = SyncDevice.first() }
    return foundSyncDevice
  }

  /// Makes the buffers for which there is memory now.
  private func settleMemory() {
    memory.settle { decision in
      guard let session = sessions.first(where: { $0.account.id == decision.vm }), !session.isClosed else {
        return false
      }
      return session.decided(decision)
    }
  }

  private func sendBatches() {
    if unsent.isEmpty { return }
    for session in unsent { session.sendBatch() }
    unsent.removeAll(keepingCapacity: true)
  }

  func forget(_ session: ClientSession) {
    sessions.removeAll { $0 === session }
    changes.forget(session)
    if session.hello?.kind != .tool { changes.note(.vms) }
    if isListeningPaused, !isClosed, let listening {
      isListeningPaused = false
      do { try loop.modify(listening, .readable) } catch { log("\(error)") }
    }
  }

  /// Takes over an output that came after the start; a scanout that waits, or sits on a stand-in, gets it.
  public func add(_ output: NamedOutput) throws(SystemError) {
    let presenter = try Presenter(output.output, name: output.name, isFallback: output.isFallback, loop: loop)
    presenters.append(presenter)
    watch(presenter)
    settle(presenter)
    placeWaiting()
  }

  /// A client with leases goes.
  func endLeases(of session: ClientSession) {
    for presenter in presenters { presenter.endLeases(of: session) }
  }

  func settings(ofVM name: String) -> VMSettings { vmSettings[name] ?? VMSettings() }

  func remember(_ settings: VMSettings, ofVM name: String) {
    vmSettings[name] = settings
    for session in sessions where session.name == name { session.take(settings) }
  }

  // MARK: - Scanouts and outputs

  private func watch(_ presenter: Presenter) {
    presenter.log = write
    presenter.onRoom = { [unowned self] in willPlaceWaiting() }
    presenter.output.onEvent = { [unowned self, unowned presenter] event in
      switch event {
      case .flipped(let time, let sequence): presenter.flipped(timeNanoseconds: time, sequence: sequence)
      case .changed: outputChanged(presenter)
      case .leaseEnded: presenter.leaseGivenBack()
      }
    }
  }

  /// Gives every new scanout its output, or parks it.
  func place(_ heads: [Surface]) {
    for head in heads {
      if let presenter = freePresenter(for: head) {
        assign(head, presenter)
      } else {
        park(head, .noneFree)
      }
    }
  }

  /// A scanout leaves; whoever waits for its output gets it.
  func vacate(_ head: Surface) {
    let presenter = head.presenter
    let wasParked = head.parking != nil
    head.leave()
    if wasParked { presenter?.close() }
    if !isClosed { placeWaiting() }
  }

  func placeWaiting() {
    for session in sessions where !session.isClosed {
      for head in session.heads where head.parking != nil {
        if let presenter = freePresenter(for: head) { assign(head, presenter) }
      }
    }
    // Those that waited came first: a stand-in is better than nothing.
    for session in sessions where !session.isClosed {
      for head in session.heads where head.parking == nil && head.wish.isEmpty && head.presenter?.isFallback == true {
        if let presenter = freePresenter(for: head), !presenter.isFallback { assign(head, presenter) }
      }
    }
  }

  private func freePresenter(for head: Surface) -> Presenter? {
    let free = presenters.filter { $0.hasRoom(for: head.vmName) && $0.output.info.connected }
    if case .unplugged(let name)? = head.parking, let former = free.first(where: { $0.name == name }) {
      return former
    }
    if !head.wish.isEmpty { return free.first { $0.name == head.wish } }
    return free.min { ($0.isFallback ? 1 : 0, $0.tiles.count) < ($1.isFallback ? 1 : 0, $1.tiles.count) }
  }

  func assign(_ head: Surface, _ presenter: Presenter) {
    let former = head.parking == nil ? nil : head.presenter
    head.move(to: presenter, parking: nil)
    changes.note(.vms)
    former?.close()
    head.log("scanout \(head.index) is on \(presenter.name)")
  }

  private func park(_ head: Surface, _ parking: Surface.Parking) {
    parkedCount += 1
    do {
      let name = "parked-\(parkedCount)"
      let presenter = try Presenter(makeParkedOutput(name), name: name, loop: loop)
      watch(presenter)
      head.move(to: presenter, parking: parking)
      changes.note(.vms)
      switch parking {
      case .noneFree: head.log("scanout \(head.index) waits for a free output")
      case .unplugged(let name): head.log("scanout \(head.index) waits for \(name) to be plugged in")
      }
    } catch {
      head.owner.drop("no off-screen output can be made: \(error)")
    }
  }

  private func outputChanged(_ presenter: Presenter) {
    presenter.outputChanged()
    let info = presenter.output.info
    log("\(presenter.name) \(info.connected ? "has \(info.mode)" : "is unplugged")")
    for head in presenter.tiles.map(\.head) {
      if info.connected { head.describe() } else { park(head, .unplugged(presenter.name)) }
    }
    if info.connected { placeWaiting() }
  }
}
