public import FrameScheduler

/// The power states of an output, from most to least power.
public enum OutputPower: String, CaseIterable, Comparable, Sendable, SettingChoice {
  /// The output shows its VMs.
  case on
  /// The output shows black; its CRTC is active.
  case blank
  /// The CRTC is inactive and the monitor sleeps.
  case off

  /// More power comes first.
  public static func < (left: OutputPower, right: OutputPower) -> Bool { left.rank < right.rank }

  private var rank: Int { OutputPower.allCases.firstIndex(of: self) ?? 0 }
}

/// When an output's refresh rate follows its frames, if the monitor supports it.
public enum VariableRefresh: String, CaseIterable, Sendable, SettingChoice {
  /// Never.
  case off
  /// While one VM has the output to itself.
  case single
}

/// Whether imported buffers count towards memory limits, as host buffers do.
public enum ImportAccounting: String, CaseIterable, Sendable, SettingChoice {
  /// They do not count.
  case free
  /// They count.
  case counted
}

extension SchedulingPolicy: SettingChoice {}
extension MemorySelection: SettingChoice {}

/// The settings of one output.
public struct OutputSettings: Equatable, Sendable {
  /// How VMs share the output.
  public var layout = OutputLayout.single
  /// The scheduling policy.
  public var policy = SchedulingPolicy.hybrid
  /// How long a VM may hold it while others wait.
  public var exclusive = ExclusiveLimits()
  /// Who may lease it.
  public var lease = LeasePolicy.own
  /// The power state set by command.
  public var power = OutputPower.on
  /// The idle timeouts.
  public var idle = IdleLimits()
  /// When its refresh rate follows its frames.
  public var variableRefresh = VariableRefresh.off

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<OutputSettings>] = [
    Setting(
      1, "layout", \.layout, .layout, .layout,
      """
      How VMs share the output. single: one VM has it. tile: a grid sized for the VMs, a grid of COLUMNSxROWS, or a \
      rectangle for each VM. focus: one VM is shown, the others wait.
      """),
    Setting(
      2, "policy", \.policy, .choice(SchedulingPolicy.choices), .policy,
      "The order of service when not every frame fits before the next vblank."),
    Setting(
      3, "max-hold", \.exclusive.maximumHoldSeconds, .whole(1...86_400, .seconds, none: "never"), .exclusive,
      "The longest time that one VM may hold the output while others wait."),
    Setting(
      4, "watchdog", \.exclusive.watchdogSeconds, .whole(1...86_400, .seconds, none: "never"), .exclusive,
      "The longest time without a frame before a VM that holds the output counts as hung."),
    Setting(
      5, "lease", \.lease, .leasePolicy, .lease,
      "The users that may lease the output by the frames socket; own: only who may use the control socket."),
    Setting(
      6, "power", \.power, .choice(OutputPower.choices), .power,
      "on: the output shows its VMs. blank: it shows black. off: the monitor sleeps."),
    Setting(
      7, "idle-blank", \.idle.blankSeconds, .whole(1...86_400, .seconds, none: "never"), .power,
      "The time without changes after which the output is blanked."),
    Setting(
      8, "idle-off", \.idle.offSeconds, .whole(1...86_400, .seconds, none: "never"), .power,
      "The time without changes after which the output is turned off."),
    Setting(
      9, "vrr", \.variableRefresh, .choice(VariableRefresh.choices), .power,
      "single: the refresh rate follows the frames of a VM alone on the output, if the monitor can. off: never."),
  ]
}

/// How long a VM may hold an output while others wait for it.
public struct ExclusiveLimits: Equatable, Sendable {
  /// The longest hold, which the VM cannot extend; nil: no limit.
  public var maximumHoldSeconds: Int64?
  /// The longest time without a frame before the VM counts as hung: the next VM gets the output, or if none waits, it
  /// shows black. nil: never.
  public var watchdogSeconds: Int64?

  /// No limits.
  public init() {}
}

/// The seconds without a change after which an output is blanked or turned off.
public struct IdleLimits: Equatable, Sendable {
  /// Until it is blanked; nil: never.
  public var blankSeconds: Int64?
  /// Until it is turned off; nil: never.
  public var offSeconds: Int64?

  /// No limits.
  public init() {}

  /// Whether both timeouts are never.
  public var isNever: Bool { blankSeconds == nil && offSeconds == nil }
}

/// How all clients share memory for buffers.
public struct MemorySettings: Equatable, Sendable {
  /// The limit for the buffers of all clients together, with the overhead of each; nil: no limit.
  public var capacityLimitBytes: Int?
  /// The limit of a client that has no limit of its own.
  public var limitBytes: Int
  /// Bytes charged to a client with buffers, in addition to the buffers.
  public var overheadBytes = 1 << 20
  /// The order in which waiting requests are served when memory is freed.
  public var selection = MemorySelection.agingBestFit
  /// Whether imported buffers count.
  public var imports = ImportAccounting.free

  /// The defaults, with a limit per client.
  public init(limitBytes: Int = 512 << 20) { self.limitBytes = limitBytes }

  /// The largest number of bytes that a setting takes.
  public static let mostBytes = 1 << 40

  /// One row for each setting.
  public static let table: [Setting<MemorySettings>] = [
    Setting(
      101, "capacity", \.capacityLimitBytes, .bytes(1...mostBytes, none: "unlimited"), .memory,
      "The limit for the host buffers of all VMs together."),
    Setting(
      102, "max-per-vm", \.limitBytes, .bytes(1...mostBytes, none: nil), .memory,
      "The limit of a VM that has no max-memory of its own."),
    Setting(
      103, "overhead", \.overheadBytes, .bytes(0...mostBytes, none: nil), .memory,
      "Memory charged to a VM with buffers, in addition to the buffers."),
    Setting(
      104, "selection", \.selection, .choice(MemorySelection.choices), .memory,
      "The order in which waiting requests are served when memory is freed."),
    Setting(
      105, "imports", \.imports, .choice(ImportAccounting.choices), .memory,
      "Whether imported buffers count towards the limits."),
  ]
}

/// The settings of a VM; kept by its name, whether it is connected or not.
public struct VMSettings: Equatable, Sendable {
  /// Its share relative to the other VMs' weights.
  public var weight: Int64 = 100
  /// The promised frames per second; nil: none.
  public var promisedHertz: Int64?
  /// The cap in frames per second; nil: the refresh rate.
  public var cappedHertz: Int64?
  /// The cap in frames per second while it is not visible; nil: 2.
  public var unseenHertz: Int64?
  /// The limit for its host buffers in bytes; nil: the limit of `MemorySettings`.
  public var memoryLimitBytes: Int?
  /// The output of each scanout, in order; the VM chooses for scanouts beyond the list.
  public var outputs: [String] = []
  /// The only user whose clients may have the VM's name; nil: any.
  public var userID: UInt32?
  /// The only security label whose clients may have the VM's name; nil: any.
  public var label: String?
  /// The limit of the backend's memory for the guest's graphics resources in bytes; nil: the backend's default.
  public var deviceMemoryBytes: Int?
  /// Seconds from the guest's stop until its screen is blanked; nil: never.
  public var blankStoppedSeconds: Int64?

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<VMSettings>] = [
    Setting(
      201, "weight", \.weight, .whole(1...10_000, .number, none: nil), .vm,
      "The VM's share of the time for copies, relative to the other VMs' weights."),
    Setting(
      202, "sla", \.promisedHertz, .whole(1...1_000, .hertz, none: "none"), .vm,
      "The promised frames per second."),
    Setting(
      203, "cap", \.cappedHertz, .whole(1...1_000, .hertz, none: "none"), .vm,
      "The highest frames per second; must not be below the promise."),
    Setting(
      204, "unseen-cap", \.unseenHertz, .whole(1...1_000, .hertz, none: "2"), .vm,
      "The highest frames per second while no output shows the VM."),
    Setting(
      205, "max-memory", \.memoryLimitBytes, .bytes(1...MemorySettings.mostBytes, none: "max-per-vm"), .vm,
      "The limit for the VM's host buffers."),
    Setting(
      206, "outputs", \.outputs, .outputNames, .vm,
      """
      Outputs to use, one for each scanout in order; other VMs are moved away. Empty: the VM chooses.
      """),
    Setting(
      207, "user", \.userID, .user(none: "any"), .vm,
      "The user whose clients may have the VM's name; a connected client of another user is ended."),
    Setting(
      208, "label", \.label, .label(none: "any"), .vm,
      """
      The security label whose clients may have the VM's name, such as an AppArmor profile or an SELinux context; see the \
      status of a connected VM.
      """),
    Setting(
      209, "device-memory", \.deviceMemoryBytes, .bytes((1 << 20)...MemorySettings.mostBytes, none: "default"), .vm,
      """
      The limit of the backend's memory for the guest's graphics resources, not counting the guest's own pages. Default: \
      256M. The backend's --max-memory takes precedence.
      """),
    Setting(
      210, "blank-stopped", \.blankStoppedSeconds, .whole(1...86_400, .seconds, none: "never"), .vm,
      """
      The time from the guest's stop (a pause, a reset, a driver that is gone) until its screen is blanked. The backend's \
      --blank-stopped takes precedence.
      """),
  ]
}
