/// What `framepath bench soak` has measured.
public struct SoakReport: Codable, Equatable, Sendable {
  /// The processes at one moment, with every client connected.
  public struct Sample: Codable, Equatable, Sendable {
    /// Since the first sample, s.
    public var seconds: Double
    /// Open descriptors of the daemon.
    public var descriptors: Int
    /// The daemon's RssAnon: heap and stacks that are in memory, bytes.
    public var anonymousBytes: UInt64
    /// Private memory of the daemon beside frame buffers, bytes.
    public var privateBytes: UInt64
    /// Open descriptors of the backends that stay.
    public var backendDescriptors: Int
    /// RssAnon of the backends that stay, bytes.
    public var backendAnonymousBytes: UInt64
    /// Clients that have come and gone so far.
    public var visits: Int
  }

  /// A figure that must not grow.
  public struct Growth: Codable, Equatable, Sendable {
    /// What it is.
    public var name: String
    /// In the first sample.
    public var first: Double
    /// In the last sample.
    public var last: Double
    /// By how much the least of the second half of all samples is above the greatest of the first half: what neither
    /// comes nor goes.
    public var growth: Double
    /// What it may be; nothing that adds up with time.
    public var allowed: Double

    /// Whether it is more than allowed.
    public var isTooMuch: Bool { growth > allowed }

    /// Of these samples.
    init(_ name: String, _ figures: [Double], allowed: Double) {
      self.name = name
      self.allowed = allowed
      first = figures.first ?? 0
      last = figures.last ?? 0
      let half = figures.count / 2
      growth = (figures.dropFirst(figures.count - half).min() ?? 0) - (figures.prefix(half).max() ?? 0)
    }
  }

  /// How many clients there are at once.
  public var clients: Int
  /// How many of them come and go.
  public var visitors: Int
  /// The pictures' width in pixels.
  public var width: Int
  /// The pictures' height in pixels.
  public var height: Int
  /// The screens' rate.
  public var refreshHertz: Int
  /// From the first sample to the last, s.
  public var seconds: Double
  /// Frames of each client that stays, in that time.
  public var frames: [Int]
  /// Private memory of the daemon beside frame buffers before anybody came, bytes.
  public var emptyPrivateBytes: UInt64
  /// The machine.
  public var machine: Machine
  /// The oldest first.
  public var samples: [Sample]

  /// The most private memory beside frame buffers that the daemon may take for a client, bytes.
  public static let clientLimitBytes = 4.0 * 1_048_576

  /// The daemon's private memory for each client in the last sample, beside frame buffers and what it has without
  /// clients, bytes.
  public var bytesPerClient: Double {
    (Double(samples.last?.privateBytes ?? 0) - Double(emptyPrivateBytes)) / Double(max(clients, 1))
  }

  /// Frames per second of the clients that stay.
  public var rates: Spread { Spread(frames.map { Double($0) / max(seconds, 1e-9) }) }

  /// Everything that must not grow.
  public var growths: [Growth] {
    let figures = { (figure: (Sample) -> Double) in samples.map(figure) }
    // A quarter of the clients have their frames copied, and may need one more buffer at any time.
    let buffers = Double((clients + 3) / 4)
    return [
      Growth("daemon's descriptors", figures { Double($0.descriptors) }, allowed: buffers),
      // The pages that malloc keeps.
      Growth("daemon's RssAnon", figures { Double($0.anonymousBytes) }, allowed: 131_072),
      Growth("backends' descriptors", figures { Double($0.backendDescriptors) }, allowed: buffers),
      Growth(
        "backends' RssAnon", figures { Double($0.backendAnonymousBytes) }, allowed: 16_384 * Double(clients)),
    ]
  }

  /// What is wrong, in words for a person; empty where nothing is.
  public var faults: [String] {
    var faults: [String] = []
    for growth in growths where growth.isTooMuch {
      faults.append("\(growth.name) grew from \(Int(growth.first)) to \(Int(growth.last))")
    }
    if bytesPerClient > SoakReport.clientLimitBytes {
      faults.append("the daemon takes \(Int(bytesPerClient)) bytes for each client beside its buffers")
    }
    return faults
  }
}
