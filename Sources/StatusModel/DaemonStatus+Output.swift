extension DaemonStatus {
  /// An output.
  public struct Output: Codable, Equatable, Sendable {
    /// `HDMI-A-1`, `headless-0`, …
    public var name: String
    /// What it is made of.
    public var kind: Kind
    /// Of the current mode, pixels.
    public var width: Int
    /// Of the current mode, pixels.
    public var height: Int
    /// Of the current mode, frames per 1000 seconds.
    public var refreshMillihertz: Int
    /// Commits since it was opened.
    public var commits: UInt64
    /// Commits since it was opened that reached the screen a vblank or more too late.
    public var missedVblanks: UInt64
    /// Whether there is a monitor.
    public var connected: Bool
    /// Width and height of a hardware cursor, pixels; 0: the daemon blends cursors.
    public var cursorSize: Int
    /// How VMs share it, in the words of the settings.
    public var layout: String
    /// The scheduling policy.
    public var policy: Policy
    /// The safety margin before a vblank, as it is now.
    public var redZoneNanoseconds: Int64
    /// How long a VM may have the output to itself while others wait; nil: no limit.
    public var maximumHoldSeconds: Int64?
    /// After how long without a frame a VM loses the output; nil: never.
    public var watchdogSeconds: Int64?
    /// Planes for tiles beside the primary one.
    public var overlayPlanes: Int
    /// Who may lease it, in the words of the settings.
    public var leasePolicy: String
    /// Clients that wait for a lease of it.
    public var leasesWaiting: Int
    /// The client that has it as a lease.
    public var lessee: Lessee?
    /// When its refresh rate may follow its frames.
    public var vrr: VariableRefresh
    /// The lowest rate that the display can follow; nil where the monitor does not say, and where the output cannot
    /// vary its rate.
    public var variableSlowestMillihertz: Int?
    /// The highest rate that the display can follow; nil where the output cannot vary its rate.
    public var variableFastestMillihertz: Int?
    /// Whether the rate follows the frames now.
    public var isVariable: Bool
    /// What the hardware does.
    public var power: Power
    /// Why it is not on; nil while it is.
    public var powerReason: PowerReason?
    /// After how long without a change it goes black; nil: never.
    public var idleBlankSeconds: Int64?
    /// After how long without a change it goes off; nil: never.
    public var idleOffSeconds: Int64?
    /// The scanouts on it, in the order in which they came.
    public var vms: [Tile]
    /// The VM that is shown alone, or came first; nil while there is none, and while the output is leased.
    public var vm: String?

    /// All fields.
    public init(
      name: String,
      kind: Kind,
      width: Int,
      height: Int,
      refreshMillihertz: Int,
      commits: UInt64,
      missedVblanks: UInt64,
      connected: Bool,
      cursorSize: Int,
      layout: String,
      policy: Policy,
      redZoneNanoseconds: Int64,
      maximumHoldSeconds: Int64?,
      watchdogSeconds: Int64?,
      overlayPlanes: Int,
      leasePolicy: String,
      leasesWaiting: Int,
      lessee: Lessee?,
      vrr: VariableRefresh,
      variableSlowestMillihertz: Int?,
      variableFastestMillihertz: Int?,
      isVariable: Bool,
      power: Power,
      powerReason: PowerReason?,
      idleBlankSeconds: Int64?,
      idleOffSeconds: Int64?,
      vms: [Tile],
      vm: String?
    ) {
      self.name = name
      self.kind = kind
      self.width = width
      self.height = height
      self.refreshMillihertz = refreshMillihertz
      self.commits = commits
      self.missedVblanks = missedVblanks
      self.connected = connected
      self.cursorSize = cursorSize
      self.layout = layout
      self.policy = policy
      self.redZoneNanoseconds = redZoneNanoseconds
      self.maximumHoldSeconds = maximumHoldSeconds
      self.watchdogSeconds = watchdogSeconds
      self.overlayPlanes = overlayPlanes
      self.leasePolicy = leasePolicy
      self.leasesWaiting = leasesWaiting
      self.lessee = lessee
      self.vrr = vrr
      self.variableSlowestMillihertz = variableSlowestMillihertz
      self.variableFastestMillihertz = variableFastestMillihertz
      self.isVariable = isVariable
      self.power = power
      self.powerReason = powerReason
      self.idleBlankSeconds = idleBlankSeconds
      self.idleOffSeconds = idleOffSeconds
      self.vms = vms
      self.vm = vm
    }
  }
}

extension DaemonStatus.Output {
  /// A client with a DRM lease.
  public struct Lessee: Codable, Equatable, Sendable {
    /// The client's name.
    public var name: String
    /// Its process.
    public var pid: Int32
    /// Its user.
    public var uid: UInt32
    /// The kernel's number of the lease.
    public var lesseeID: UInt32
    /// CLOCK_MONOTONIC when the lease began.
    public var sinceNanoseconds: UInt64

    /// All fields.
    public init(
      name: String,
      pid: Int32,
      uid: UInt32,
      lesseeID: UInt32,
      sinceNanoseconds: UInt64
    ) {
      self.name = name
      self.pid = pid
      self.uid = uid
      self.lesseeID = lesseeID
      self.sinceNanoseconds = sinceNanoseconds
    }
  }

  /// Where a scanout is on the output.
  public struct Tile: Codable, Equatable, Sendable {
    /// The VM's name.
    public var name: String
    /// Pixels of the mode from the left.
    public var x: Int
    /// Pixels of the mode from the top.
    public var y: Int
    /// Pixels of the mode.
    public var width: Int
    /// Pixels of the mode.
    public var height: Int

    /// All fields.
    public init(
      name: String,
      x: Int,
      y: Int,
      width: Int,
      height: Int
    ) {
      self.name = name
      self.x = x
      self.y = y
      self.width = width
      self.height = height
    }
  }

  /// What an output is made of.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A CRTC and a connector of a DRM card.
    case kms
    /// A timer.
    case headless
  }

  /// How an output's time is shared.
  public enum Policy: String, Codable, Sendable, CaseIterable {
    /// In the order in which frames became ready.
    case fifo
    /// One frame of each VM in turn.
    case roundRobin = "round-robin"
    /// Blit time in proportion to weights.
    case weightedFair = "weighted-fair"
    /// Promised rates first, by deadline.
    case sla
    /// Promised rates first, then blit time in proportion to weights.
    case hybrid
    /// One VM has the output.
    case exclusive
  }

  /// When an output's refresh rate may follow its frames.
  public enum VariableRefresh: String, Codable, Sendable, CaseIterable {
    /// Never.
    case off
    /// While one VM has the output to itself.
    case single
  }

  /// What an output's hardware does.
  public enum Power: String, Codable, Sendable, CaseIterable {
    /// It shows its VMs.
    case on
    /// It shows black.
    case blank
    /// CRTC and monitor are off.
    case off
  }

  /// Why an output is not on.
  public enum PowerReason: String, Codable, Sendable, CaseIterable {
    /// By CONTROL.
    case command
    /// Nothing changed on it for the time that the settings give.
    case idle
  }
}
