import GraphicsMemory
import HybridRegion
public import LinuxIO
import PresentProtocol
import Scanout

/// The daemon's socket, through which it serves a region of this process: an eventfd wakes the daemon, a message wakes
/// this side.
///
/// A restarted daemon continues with the region where the last one stopped. If it refuses this client, for example
/// because the name is in use, the client retries with growing pauses; a final refusal ends the screen.
final class DaemonDoorbells: Doorbells {
  /// The region.
  let memory: SharedFD
  let layout: RegionLayout
  private let path: String
  private let name: String
  private let doorbell: EventFD
  private var connection: PresentConnection?
  private var pace = ReconnectPace()
  private var nextAttemptNanoseconds: UInt64 = 0
  private var hopeless: GuestError?

  /// Connects, creates a region whose slots hold the output's pictures, and waits until the daemon has accepted it.
  init(path: String, name: String, slotCount: Int, timeoutMilliseconds: Int) throws(GuestError) {
    self.path = path
    self.name = name
    let (connection, output) = try DaemonDoorbells.connect(path, name, timeoutMilliseconds)
    let bytes = max(DaemonDoorbells.frameByteCount(output.mode.width, output.mode.height), DaemonDoorbells.leastBytes)
    guard let layout = RegionLayout(fittingFrameBytes: bytes, slotCount: slotCount) else {
      throw .daemon("a region cannot have \(slotCount) slots of \(bytes) bytes")
    }
    self.layout = layout
    do throws(SystemError) {
      memory = SharedFD(try layout.makeMemory())
      doorbell = try EventFD()
    } catch {
      throw .system(error)
    }
    super.init()
    try give(to: connection, timeoutMilliseconds)
    self.connection = connection
  }

  /// Slots take no memory until they are drawn into.
  private static let leastBytes = frameByteCount(3840, 2160)

  private static func frameByteCount(_ width: Int, _ height: Int) -> Int { (width * 4 + 255) / 256 * 256 * height }

  override var rings: Bool { true }
  override var listens: Bool { true }

  override func ring(_ value: UInt32) { doorbell.signal() }

  override var failure: GuestError? { hopeless }

  override func wait(_ backoff: inout Backoff, until deadline: UInt64) -> Bool {
    if hopeless != nil { return false }
    let now = monotonicNanoseconds()
    guard deadline > now else { return true }
    let milliseconds = Int32(clamping: min((deadline - now + 999_999) / 1_000_000, 100))
    if let connection {
      do throws(GuestError) {
        _ = try DaemonDoorbells.receive(connection, milliseconds)
      } catch {
        self.connection = nil
        retry(after: error)
      }
    } else if now < nextAttemptNanoseconds {
      sleepNanoseconds(min(UInt64(milliseconds) * 1_000_000, nextAttemptNanoseconds - now))
    } else {
      reconnect(Int(milliseconds))
    }
    return hopeless == nil
  }

  private func reconnect(_ milliseconds: Int) {
    do throws(GuestError) {
      let (fresh, _) = try DaemonDoorbells.connect(path, name, milliseconds)
      pace.welcomed(now: monotonicNanoseconds())
      try give(to: fresh, milliseconds)
      connection = fresh
    } catch {
      retry(after: error)
    }
  }

  private func retry(after error: GuestError) {
    let now = monotonicNanoseconds()
    switch error {
    case .daemonRefuses(let message) where message.code.isFatal && !message.code.mayHeal: hopeless = error
    case .daemonRefuses: nextAttemptNanoseconds = now + pace.refused(now: now)
    default: nextAttemptNanoseconds = now + pace.absent()
    }
  }

  private static func connect(
    _ path: String, _ name: String, _ timeoutMilliseconds: Int
  ) throws(GuestError) -> (PresentConnection, OutputDescription) {
    let connection: PresentConnection
    do throws(SystemError) {
      connection = try PresentConnection.connect(path, timeoutMilliseconds: timeoutMilliseconds)
    } catch {
      throw .system(error)
    }
    try send(connection, .hello(Hello(kind: .container, name: name, scanoutCount: 1)), [])
    let deadline = monotonicNanoseconds() + UInt64(clamping: timeoutMilliseconds) * 1_000_000
    while monotonicNanoseconds() < deadline {
      if case .output(let output)? = try receive(connection, 100) { return (connection, output) }
    }
    throw .hostSilent
  }

  /// Sends the region to a daemon, which accepts it or refuses it with a reason.
  private func give(to connection: PresentConnection, _ timeoutMilliseconds: Int) throws(GuestError) {
    let message = AttachRegion(
      scanout: 0, regionByteCount: UInt64(layout.regionByteCount), slotCount: UInt32(layout.slotCount),
      sharesClock: true, hasGuestDoorbell: false)
    try DaemonDoorbells.send(connection, .region(message), [memory.raw, doorbell.fd.raw])
    let deadline = monotonicNanoseconds() + UInt64(clamping: timeoutMilliseconds) * 1_000_000
    while monotonicNanoseconds() < deadline {
      if case .regionNews? = try DaemonDoorbells.receive(connection, 100) { return }
    }
    throw .hostSilent
  }

  private static func send(
    _ connection: PresentConnection, _ message: ClientMessage, _ fds: [Int32]
  ) throws(GuestError) {
    do throws(PresentProtocolError) {
      guard try connection.send(message, fds: fds) else { throw .closed }
    } catch {
      throw .daemon(error.description)
    }
  }

  /// The next message, or nil if there is none in time. A refusal is thrown.
  private static func receive(
    _ connection: PresentConnection, _ timeoutMilliseconds: Int32
  ) throws(GuestError) -> ServerMessage? {
    var fds = ReceivedFDs()
    let message: ServerMessage?
    do throws(PresentProtocolError) {
      if !connection.hasUnread {
        do throws(SystemError) {
          let ready = try waitUntilReady(connection.descriptor, .readable, timeoutMilliseconds: timeoutMilliseconds)
          if ready.isEmpty { return nil }
        } catch {
          throw .system(error)
        }
      }
      message = try connection.receiveServerMessage(fds: &fds)
    } catch {
      throw .daemon(error.description)
    }
    // A frame that the output could not show is not an error here.
    if case .error(let error, request: _)? = message, error.code != .output { throw .daemonRefuses(error) }
    return message
  }
}

/// A region that the daemon serves, without a guest's side, for programs with their own.
public struct DaemonRegion {
  private let doorbells: DaemonDoorbells

  /// Connects to the daemon at `path` as a client of this name, and sends it a new region with three slots.
  public init(_ path: String, name: String, timeoutMilliseconds: Int = 5000) throws(GuestError) {
    doorbells = try DaemonDoorbells(path: path, name: name, slotCount: 3, timeoutMilliseconds: timeoutMilliseconds)
  }

  /// The region's memory.
  public var memory: SharedFD { doorbells.memory }

  /// Wakes the daemon.
  public func ring() { doorbells.ring(0) }
}
