public import HybridRegion
public import LinuxIO
public import PresentClient

/// The options of a server.
public struct IvshmemServerOptions {
  /// The first guest's name; further ones get `-2`, `-3`, ….
  public var name = "vm"
  /// Size and slots of each region.
  public var layout: RegionLayout
  /// The daemon's socket.
  public var daemonPath: String
  /// The output of the first guest; nil for any free one.
  public var output: String?
  /// Whether guests are processes of this machine, which share its CLOCK_MONOTONIC.
  public var sharesClock = false
  /// The limit for guests.
  public var guestLimit = mostGuests
  /// The largest limit for guests.
  public static let mostGuests = 16

  /// Raises the guests' doorbells; nil makes one for each guest.
  public var raiser: EventRaiser?
  /// Connects to the daemon, for a process that may not itself.
  public var connect: DaemonConnector?
  /// Shows the first region's memory without waiting, for a process that may not make links; nil if there is a link path,
  /// or no link.
  public var showMemory: ((_ memory: Int32) -> Void)?

  /// A server's options.
  public init(layout: RegionLayout, daemonPath: String) {
    self.layout = layout
    self.daemonPath = daemonPath
  }
}

/// Gives every client that connects its own region.
///
/// The first region exists from the start, for `ivshmem-plain` guests, which never connect: a link beside the socket
/// names it. When its client leaves, a fresh region replaces it, so that no guest sees another one's pictures.
public final class IvshmemServer {
  private let loop: EventLoop
  private let options: IvshmemServerOptions
  private let log: (String) -> Void
  /// Reads nothing in /proc: a sandbox may keep that closed.
  private let closer = DescriptorCloser(looksAtFiles: false)
  /// Closes clients' connections, and what they send.
  private let descriptors: DescriptorAccount
  private var guests: [Guest] = []
  private var listener: UnixSocket?
  private var source: EventLoop.Source?
  private let linkPath: String?
  /// Called when the only client of a server without a listener has disconnected.
  public var onLastDisconnect: (() -> Void)?
  /// Called when a client is connected.
  public var onConnect: (() -> Void)?
  /// Called when the daemon refuses a region for a reason that waiting does not mend, and no client is connected that
  /// would lose its memory if this process ended.
  public var onHopelessRefusal: (() -> Void)?

  /// A region and its client.
  private final class Guest {
    let session: RegionSession
    let number: Int
    var socket: UnixSocket?
    var source: EventLoop.Source?
    init(_ session: RegionSession, number: Int) {
      self.session = session
      self.number = number
    }
  }

  /// Creates the first region. The server uses the loop's `beforeWait`.
  ///
  /// - Parameter linkPath: the path of a link to the first region's memory; nil for none.
  public init(
    loop: EventLoop, options: IvshmemServerOptions, linkPath: String?, log: @escaping (String) -> Void
  ) throws(SystemError) {
    self.loop = loop
    self.options = options
    self.log = log
    self.linkPath = linkPath
    descriptors = DescriptorAccount(closer)
    loop.beforeWait = { [weak self] in self?.ringGuests() }
    try addGuest()
  }

  /// The sessions, the first region's first.
  public var sessions: [RegionSession] { guests.map(\.session) }

  /// Accepts clients from a listening socket.
  public func listen(_ socket: consuming UnixSocket) throws(SystemError) {
    try socket.fd.setNonblocking()
    source = try loop.add(socket.fd.raw) { [weak self] _ in self?.accept() }
    listener = consume socket
  }

  /// Serves one connected client.
  public func serve(_ socket: consuming UnixSocket) throws(SystemError) {
    guard let first = guests.first else { return }
    try welcome(socket, first)
  }

  /// Ends all sessions.
  public func stop() {
    if let source = source.take() { loop.remove(source) }
    listener = nil
    for guest in guests {
      if let source = guest.source.take() { loop.remove(source) }
      guest.session.stop()
    }
    guests = []
    loop.beforeWait = nil
    if let linkPath { removeFile(linkPath) }
  }

  private func ringGuests() {
    for guest in guests { guest.session.ringNow() }
    closer.endRound()
  }

  @discardableResult
  private func addGuest() throws(SystemError) -> Guest {
    let number = (1...).first { number in !guests.contains { $0.number == number } } ?? 1
    let session = try RegionSession(
      loop: loop, name: number == 1 ? options.name : "\(options.name)-\(number)", layout: options.layout,
      daemonPath: options.daemonPath, output: number == 1 ? options.output : nil, sharesClock: options.sharesClock,
      raiser: options.raiser, connect: options.connect, log: log)
    session.onHopelessRefusal = { [weak self] in
      guard let self, guests.allSatisfy({ $0.socket == nil }) else { return }
      onHopelessRefusal?()
    }
    try session.start()
    let guest = Guest(session, number: number)
    guests.append(guest)
    guests.sort { $0.number < $1.number }
    if number == 1 { options.showMemory?(session.memory.raw) }
    if number == 1, let linkPath {
      try LinuxFile.replaceLink(linkPath, target: "/proc/\(currentProcessID())/fd/\(session.memory.raw)")
    }
    return guest
  }

  private func accept() {
    // A bounded number of connections, so that frames get their turn.
    for _ in 0..<8 {
      do throws(SystemError) {
        guard let client = try listener?.accept(for: descriptors) else { return }
        let free = guests.first { $0.number == 1 && $0.socket == nil }
        guard free != nil || guests.count < options.guestLimit else {
          log("a client was turned away: \(options.guestLimit) guests are connected")
          continue
        }
        let guest: Guest
        if let free { guest = free } else { guest = try addGuest() }
        try client.fd.setNonblocking()
        try welcome(client, guest)
      } catch {
        log("a client could not be served: \(error)")
        if error.isShortage { return }
      }
    }
  }

  private func welcome(_ socket: consuming UnixSocket, _ guest: Guest) throws(SystemError) {
    do throws(SystemError) {
      try IvshmemProtocol.welcome(
        socket, memory: guest.session.memory.raw, hostDoorbell: guest.session.hostDoorbell.fd.raw,
        guestDoorbell: guest.session.guestDoorbell.fd.raw)
      guest.source = try loop.add(socket.fd.raw) { [weak self, weak guest] _ in
        if let guest { self?.read(guest) }
      }
    } catch {
      if guest.number != 1 { remove(guest) }
      throw error
    }
    guest.socket = consume socket
    onConnect?()
    log("\(guest.session.name): connected")
  }

  /// A client does not send messages: received bytes are dropped, only the end of the connection matters.
  private func read(_ guest: Guest) {
    var fds = ReceivedFDs(of: descriptors)
    var bytes = [UInt8](repeating: 0, count: 256)
    let result: ReceiveResult? = unsafe bytes.withUnsafeMutableBytes { space in
      try? unsafe guest.socket?.receive(into: space, fds: &fds, wait: false)
    }
    switch result {
    case .bytes, .wouldBlock, .truncated: return
    case .closed, nil: break
    }
    log("\(guest.session.name): disconnected")
    remove(guest)
    if let onLastDisconnect { return onLastDisconnect() }
    do throws(SystemError) {
      if guest.number == 1 { try addGuest() }
    } catch {
      log("no region for the next client: \(error)")
    }
  }

  private func remove(_ guest: Guest) {
    if let source = guest.source.take() { loop.remove(source) }
    guest.session.stop()
    guests.removeAll { $0 === guest }
  }
}
