/// The results of `framepath bench soak`.
public struct SoakReport: Codable, Equatable, Sendable {
  /// The processes at one moment, with every client connected.
  public struct Sample: Codable, Equatable, Sendable {
    /// Since the first sample, s.
    public var seconds: Double
    /// Open descriptors of the daemon.
    public var descriptors: Int
    /// The daemon's RssAnon: heap and stacks that are in memory, bytes.
    public var anonymousBytes: UInt64
    /// Private memory of the daemon without framebuffers, bytes.
    public var privateBytes: UInt64
    /// Open descriptors of the backends that stay.
    public var backendDescriptors: Int
    /// RssAnon of the backends that stay, bytes.
    public var backendAnonymousBytes: UInt64
    /// Reconnects so far.
    public var visits: Int
  }

  /// A figure that must not grow.
  public struct Growth: Codable, Equatable, Sendable {
    /// Its name.
    public var name: String
    /// In the first sample.
    public var first: Double
    /// In the last sample.
    public var last: Double
    /// By how much the minimum of the second half of the samples exceeds the maximum of the first half, which ignores
    /// fluctuation.
    public var growth: Double
    /// The allowed growth, which does not depend on the run's length.
    public var allowed: Double

    /// Whether it is more than allowed.
    public var isTooMuch: Bool { growth > allowed }

    /// The growth in these samples.
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
  /// How many of them reconnect.
  public var visitors: Int
  /// The pictures' width in pixels.
  public var width: Int
  /// The pictures' height in pixels.
  public var height: Int
  /// The refresh rate of the outputs, Hz.
  public var refreshHertz: Int
  /// From the first sample to the last, s.
  public var seconds: Double
  /// Frames of each client that stays, in that time.
  public var frames: [Int]
  /// Private memory of the daemon without framebuffers before the first client, bytes.
  public var emptyPrivateBytes: UInt64
  /// The machine.
  public var machine: Machine
  /// The oldest first.
  public var samples: [Sample]

  /// The limit on the daemon's private memory per client without framebuffers, bytes.
  public static let clientLimitBytes = 4.0 * 1_048_576

  /// The daemon's private memory per client in the last sample, without framebuffers and its memory without clients,
  /// bytes.
  public var bytesPerClient: Double {
    (Double(samples.last?.privateBytes ?? 0) - Double(emptyPrivateBytes)) / Double(max(clients, 1))
  }

  /// Frames per second of the clients that stay.
  public var rates: Spread { Spread(frames.map { Double($0) / max(seconds, 1e-9) }) }

  /// Everything that must not grow.
  public var growths: [Growth] {
    let figures = { (figure: (Sample) -> Double) in samples.map(figure) }
    // The frames of a quarter of the clients are copied; each may need one more buffer at any time.
    let buffers = Double((clients + 3) / 4)
    return [
      Growth("daemon's descriptors", figures { Double($0.descriptors) }, allowed: buffers),
      // Pages kept by malloc.
      Growth("daemon's RssAnon", figures { Double($0.anonymousBytes) }, allowed: 131_072),
      Growth("backends' descriptors", figures { Double($0.backendDescriptors) }, allowed: buffers),
      Growth(
        "backends' RssAnon", figures { Double($0.backendAnonymousBytes) }, allowed: 16_384 * Double(clients)),
    ]
  }

  /// The faults as messages; empty if there are none.
  public var faults: [String] {
    var faults: [String] = []
    for growth in growths where growth.isTooMuch {
      faults.append("\(growth.name) grew from \(Int(growth.first)) to \(Int(growth.last))")
    }
    if bytesPerClient > SoakReport.clientLimitBytes {
      faults.append("the daemon takes \(Int(bytesPerClient)) bytes per client, without its buffers")
    }
    return faults
  }
}
