import LinuxIO
import PresentProtocol

/// What an attack gets: the daemon's sockets, a time, and numbers by chance.
final class AttackStage {
  /// The daemon's frames socket.
  let socket: String
  /// For the attack's own sockets.
  let folder: String
  private let nanoseconds: UInt64
  private var deadline: UInt64?
  private var random: SeededNumbers

  init(socket: String, folder: String, seconds: Double, seed: UInt64) {
    self.socket = socket
    self.folder = folder
    nanoseconds = UInt64(seconds * 1e9)
    random = SeededNumbers(seed: seed)
  }

  /// The output that attacks show their frames on; several at once are parked.
  static let output = "headless-1"
  /// The output that composes all pictures.
  static let tiledOutput = "headless-2"

  /// Whether the time is over. It begins with the first call, when the attack is prepared; the measuring process reads
  /// the line.
  var isOver: Bool {
    let now = monotonicNanoseconds()
    if let deadline { return now >= deadline }
    deadline = now + nanoseconds
    try? LinuxFile.writeToStandardOutput(Array("begun\n".utf8))
    return false
  }

  /// A number below `limit`.
  func number(below limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

  /// Any bytes.
  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }

  /// Repeats a step with a client until the time is over; with another client when the daemon has ended one.
  ///
  /// - Parameter prepare: makes the client ready for the steps.
  /// - Returns: the number of steps.
  func withClients<Client>(
    _ prepare: () throws -> Client, _ step: (Client) throws -> Void
  ) throws -> Int {
    var count = 0
    var current: Client? = try prepare()
    while !isOver {
      do {
        if current == nil { current = try prepare() }
        guard let client = current else { continue }
        try step(client)
        count += 1
      } catch is Ended {
        current = nil
      }
    }
    return count
  }
}

/// The daemon has ended the connection, or accepts none at the moment.
struct Ended: Error {}

/// A generator that repeats its numbers for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
