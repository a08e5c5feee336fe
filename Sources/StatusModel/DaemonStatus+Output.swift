extension DaemonStatus {
  /// An output.
  public struct Output: Codable, Equatable, Sendable {
    /// `HDMI-A-1`, `headless-0`, …
    public var name: String
    /// Whether it is a connector or a stand-in for one.
    public var kind: Kind
    /// Of the current mode, pixels.
    public var width: Int
    /// Of the current mode, pixels.
    public var height: Int
    /// Of the current mode, frames per 1000 seconds.
    public var refreshMillihertz: Int
    /// Commits since it was opened.
    public var commits: UInt64
    /// Commits since it was opened that flipped at least one vblank late.
    public var missedVblanks: UInt64
    /// Whether there is a monitor.
    public var connected: Bool
    /// Width and height of a hardware cursor, pixels; 0: the daemon blends cursors.
    public var cursorSize: Int
    /// How VMs share it, as in the settings.
    public var layout: String
    /// The scheduling policy.
    public var policy: Policy
    /// The current safety margin before a vblank.
    public var redZoneNanoseconds: Int64
    /// The longest time that a VM may hold the output while others wait; nil: no limit.
    public var maximumHoldSeconds: Int64?
    /// The longest time without a frame before a VM loses the output; nil: never.
    public var watchdogSeconds: Int64?
    /// Overlay planes for tiles.
    public var overlayPlanes: Int
    /// The users that may lease it, as in the settings.
    public var leasePolicy: String
    /// Clients that wait for a lease of it.
    public var leasesWaiting: Int
    /// The client that has leased it; nil without a lease.
    public var lessee: Lessee?
    /// When its refresh rate may follow its frames.
    public var vrr: VariableRefresh
    /// The lowest rate of a variable refresh rate; nil if the monitor does not report it, or if the output does not
    /// support one.
    public var variableSlowestMillihertz: Int?
    /// The highest rate of a variable refresh rate; nil if the output does not support one.
    public var variableFastestMillihertz: Int?
    /// Whether the refresh rate currently follows the frames.
    public var isVariable: Bool
    /// The power state.
    public var power: Power
    /// Why it is not on; nil while it is on.
    public var powerReason: PowerReason?
    /// The time without a change after which it is blanked; nil: never.
    public var idleBlankSeconds: Int64?
    /// The time without a change after which it is turned off; nil: never.
    public var idleOffSeconds: Int64?
    /// The scanouts on it, in the order in which they were placed.
    public var vms: [Tile]
    /// The VM that is shown alone, else the first one; nil without VMs and while the output is leased.
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
    /// The kernel's lessee id.
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

  /// The rectangle of a scanout on the output.
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

  /// The kinds of outputs.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A CRTC and a connector of a DRM card.
    case kms
    /// A timer.
    case headless
  }

  /// The scheduling policies.
  public enum Policy: String, Codable, Sendable, CaseIterable {
    /// In the order in which frames became ready.
    case fifo
    /// One frame of each VM in turn.
    case roundRobin = "round-robin"
    /// Copy time in proportion to weights.
    case weightedFair = "weighted-fair"
    /// Promised rates first, by deadline.
    case sla
    /// Promised rates first, then copy time in proportion to weights.
    case hybrid
    /// One VM holds the output.
    case exclusive
  }

  /// When an output's refresh rate may follow its frames.
  public enum VariableRefresh: String, Codable, Sendable, CaseIterable {
    /// Never.
    case off
    /// While one VM has the output to itself.
    case single
  }

  /// The power states of an output.
  public enum Power: String, Codable, Sendable, CaseIterable {
    /// It shows its VMs.
    case on
    /// It shows black.
    case blank
    /// The CRTC is inactive.
    case off
  }

  /// Why an output is not on.
  public enum PowerReason: String, Codable, Sendable, CaseIterable {
    /// By a command.
    case command
    /// By an idle timeout of the settings.
    case idle
  }
}
