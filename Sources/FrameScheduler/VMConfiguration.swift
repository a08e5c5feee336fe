/// What a VM was promised: a rate, and how much blit time each of its frames may take.
public struct ServiceLevel: Hashable, Sendable {
  /// The promised frame rate in millihertz; it is also the most that the VM gets under the `sla` policy.
  public var rateMillihertz: Int64
  /// The declared blit time of one frame. What a frame takes beyond it delays its own VM only.
  public var frameNanoseconds: Nanoseconds
  /// The bytes of a frame for which that time was declared: a frame of no more bytes is within what was declared however
  /// long its copy takes, unless the VM's memory is more than twice as slow as others'. Nil: only the time counts.
  public var frameByteCount: Int64?
  /// Within how many vblanks from its due one a frame must be on screen, 1 to 32.
  public var deadlineVblanks: Int64 = 1
  /// Of every `window` due frames at least `required` are to be in time (an (m, k)-firm deadline).
  public var required: Int64 = 59
  /// See `required`.
  public var window: Int64 = 60

  /// Describes a promise of `rateMillihertz` frames per 1000 seconds that take `frameNanoseconds` each.
  public init(rateMillihertz: Int64, frameNanoseconds: Nanoseconds, deadlineVblanks: Int64 = 1) {
    self.rateMillihertz = rateMillihertz
    self.frameNanoseconds = frameNanoseconds
    self.deadlineVblanks = deadlineVblanks
  }

  func validate() throws(SchedulerError) {
    try SchedulerConfiguration.check(.rateMillihertz, rateMillihertz, 1_000...1_000_000)
    try SchedulerConfiguration.check(.frameCost, frameNanoseconds, 0...1_000_000_000)
    try SchedulerConfiguration.check(.deadlineVblanks, deadlineVblanks, 1...32)
    try SchedulerConfiguration.check(.toleratedWindow, window, 1...3_600)
    try SchedulerConfiguration.check(.toleratedWindow, required, 0...window)
  }
}

/// How one VM is scheduled on one output.
public struct VMConfiguration: Hashable, Sendable {
  /// The share of the blit time against the other VMs', 1 to 10 000.
  public var weight: Int64 = 100
  /// The promise to this VM, kept by the policies `sla` and `hybrid`.
  public var serviceLevel: ServiceLevel?
  /// The most frames per 1000 seconds that this VM gets under any policy; `nil` is the refresh rate.
  public var rateCapMillihertz: Int64?
  /// The most frames per 1000 seconds while nobody sees the VM; `nil` is the scheduler's background rate.
  public var unseenMillihertz: Int64?
  /// How the VM's frames reach the screen.
  public var path = FramePath.plane
  /// The VM's owner: a VM that is removed and added again by the same owner keeps its debt.
  public var owner: UInt64

  /// The defaults for the VM of an owner.
  public init(owner: UInt64) {
    self.owner = owner
  }

  func validate() throws(SchedulerError) {
    try SchedulerConfiguration.check(.weight, weight, 1...10_000)
    if let rateCapMillihertz {
      try SchedulerConfiguration.check(.rateCapMillihertz, rateCapMillihertz, 1_000...1_000_000)
    }
    if let unseenMillihertz {
      try SchedulerConfiguration.check(.rateCapMillihertz, unseenMillihertz, 1_000...1_000_000)
    }
    if let serviceLevel { try serviceLevel.validate() }
  }
}

/// How a VM's frames reach the screen.
public enum FramePath: Hashable, Sendable {
  /// Its buffer is put on a plane: nothing is copied, the frame takes no blit time.
  case plane
  /// Its buffer is copied into the output's next back buffer, in bands.
  case blit
}

/// Who is served first when not everything fits before the next vblank.
public enum SchedulingPolicy: String, Hashable, Sendable, Codable, CaseIterable {
  /// In the order in which frames became ready; a frame that is superseded leaves its place to the newer one.
  case fifo
  /// One frame of each VM in turn.
  case roundRobin
  /// Blit time in proportion to weights (start-time fair queueing).
  case weightedFair
  /// Earliest deadline first for the promised rates, the rest of the time to the others.
  case sla
  /// The promised rates first, then blit time in proportion to weights, nobody starves.
  case hybrid
  /// One VM has the output (see `ExclusiveGrant`); the others go on at the background rate, unseen.
  case exclusive
}
