public import FrameScheduler

/// What an output's hardware does, from most to least.
public enum OutputPower: String, CaseIterable, Comparable, Sendable, SettingChoice {
  /// Shows its VMs.
  case on
  /// Shows black; the pipeline runs.
  case blank
  /// CRTC and monitor are off.
  case off

  /// More power comes first.
  public static func < (left: OutputPower, right: OutputPower) -> Bool { left.rank < right.rank }

  private var rank: Int { OutputPower.allCases.firstIndex(of: self) ?? 0 }
}

/// When an output's refresh rate follows its frames, where the monitor can.
public enum VariableRefresh: String, CaseIterable, Sendable, SettingChoice {
  /// Never.
  case off
  /// While one VM has it to itself.
  case single
}

/// Whether memory that clients bring counts as that which the daemon makes for them.
public enum ImportAccounting: String, CaseIterable, Sendable, SettingChoice {
  /// It does not count.
  case free
  /// It counts.
  case counted
}

extension SchedulingPolicy: SettingChoice {}
extension MemorySelection: SettingChoice {}

/// The settings of one output.
public struct OutputSettings: Equatable, Sendable {
  /// How VMs share it.
  public var layout = OutputLayout.single
  /// Which frames go first.
  public var policy = SchedulingPolicy.hybrid
  /// How long a VM may have it to itself while others wait.
  public var exclusive = ExclusiveLimits()
  /// Who may have it as a DRM lease.
  public var lease = LeasePolicy.own
  /// What its hardware does by command.
  public var power = OutputPower.on
  /// When it goes dark by itself.
  public var idle = IdleLimits()
  /// When its rate follows its frames.
  public var variableRefresh = VariableRefresh.off

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<OutputSettings>] = [
    Setting(
      1, "layout", \.layout, .layout, .layout,
      """
      How VMs share the output. single: one VM has it. tile: a grid as the VMs need it, one of COLUMNSxROWS, or a \
      rectangle for each. focus: one VM is shown, the others wait.
      """),
    Setting(
      2, "policy", \.policy, .choice(SchedulingPolicy.choices), .policy,
      "Which frames go first when not all of them fit before the next vblank."),
    Setting(
      3, "max-hold", \.exclusive.maximumHoldSeconds, .whole(1...86_400, .seconds, none: "never"), .exclusive,
      "How long one VM may have the output to itself while others wait."),
    Setting(
      4, "watchdog", \.exclusive.watchdogSeconds, .whole(1...86_400, .seconds, none: "never"), .exclusive,
      "How long a VM that has the output to itself may show no frame before it counts as hung."),
    Setting(
      5, "lease", \.lease, .leasePolicy, .lease,
      "Who may drive the output by a DRM lease, beside the daemon's own user and root."),
    Setting(
      6, "power", \.power, .choice(OutputPower.choices), .power,
      "on: shows its VMs. blank: a black picture. off: the monitor sleeps."),
    Setting(
      7, "idle-blank", \.idle.blankSeconds, .whole(1...86_400, .seconds, none: "never"), .power,
      "How long nothing may change before the output is blanked."),
    Setting(
      8, "idle-off", \.idle.offSeconds, .whole(1...86_400, .seconds, none: "never"), .power,
      "How long nothing may change before the output is turned off."),
    Setting(
      9, "vrr", \.variableRefresh, .choice(VariableRefresh.choices), .power,
      "single: the monitor's rate follows the frames of a VM that has it to itself, where it can. off: never."),
  ]
}

/// How long a VM may have an output to itself while others wait for it.
public struct ExclusiveLimits: Equatable, Sendable {
  /// Nothing that the VM does extends it; nil: for ever.
  public var maximumHoldSeconds: Int64?
  /// So long without a frame, and the VM counts as hung: the next one has the output, or without one the host's black
  /// picture is shown. nil: never.
  public var watchdogSeconds: Int64?

  /// No limits.
  public init() {}
}

/// After how many seconds without a change of its picture an output goes dark.
public struct IdleLimits: Equatable, Sendable {
  /// It shows black then; nil: never.
  public var blankSeconds: Int64?
  /// The monitor is off then; nil: never.
  public var offSeconds: Int64?

  /// No limits.
  public init() {}

  /// Whether it never goes dark by itself.
  public var isNever: Bool { blankSeconds == nil && offSeconds == nil }
}

/// How memory for buffers is shared among all clients.
public struct MemorySettings: Equatable, Sendable {
  /// For buffers of all clients together, with the overhead of each; nil: no limit.
  public var capacityLimitBytes: Int?
  /// The most that a client may hold for which no other limit is set.
  public var limitBytes: Int
  /// What a client that has buffers takes besides them.
  public var overheadBytes = 1 << 20
  /// Whose request is served first when memory is freed.
  public var selection = MemorySelection.agingBestFit
  /// Whether memory that clients import counts.
  public var imports = ImportAccounting.free

  /// The defaults, with a limit for each client.
  public init(limitBytes: Int = 512 << 20) { self.limitBytes = limitBytes }

  /// The largest number of bytes that a setting takes.
  public static let mostBytes = 1 << 40

  /// One row for each setting.
  public static let table: [Setting<MemorySettings>] = [
    Setting(
      101, "capacity", \.capacityLimitBytes, .bytes(1...mostBytes, none: "unlimited"), .memory,
      "Memory for the host buffers of all VMs together."),
    Setting(
      102, "max-per-vm", \.limitBytes, .bytes(1...mostBytes, none: nil), .memory,
      "How much of it a VM may hold that has no max-memory of its own."),
    Setting(
      103, "overhead", \.overheadBytes, .bytes(0...mostBytes, none: nil), .memory,
      "What a VM with buffers counts beside them."),
    Setting(
      104, "selection", \.selection, .choice(MemorySelection.choices), .memory,
      "Whose request is served first when memory is freed."),
    Setting(
      105, "imports", \.imports, .choice(ImportAccounting.choices), .memory,
      "Whether memory that clients bring themselves counts too."),
  ]
}

/// How a VM is treated; kept by its name, whether it is connected or not.
public struct VMSettings: Equatable, Sendable {
  /// Its share against the others'.
  public var weight: Int64 = 100
  /// Frames per second that it is promised; nil: none.
  public var promisedHertz: Int64?
  /// The most frames per second that it gets; nil: the refresh rate.
  public var cappedHertz: Int64?
  /// The most frames per second while it is not visible; nil: 2.
  public var unseenHertz: Int64?
  /// Bytes of host buffers that it may hold; nil: the limit for all.
  public var memoryLimitBytes: Int?
  /// The output of each scanout, in order; the VM chooses for scanouts beyond the list.
  public var outputs: [String] = []

  /// The defaults.
  public init() {}

  /// One row for each setting.
  public static let table: [Setting<VMSettings>] = [
    Setting(
      201, "weight", \.weight, .whole(1...10_000, .number, none: nil), .vm,
      "The VM's share of the time for copies, against the other VMs' weights."),
    Setting(
      202, "sla", \.promisedHertz, .whole(1...1_000, .hertz, none: "none"), .vm,
      "Frames per second that the VM is promised."),
    Setting(
      203, "cap", \.cappedHertz, .whole(1...1_000, .hertz, none: "none"), .vm,
      "The most frames per second that the VM gets, at least as many as promised."),
    Setting(
      204, "unseen-cap", \.unseenHertz, .whole(1...1_000, .hertz, none: "2"), .vm,
      "The most frames per second while no output shows the VM."),
    Setting(
      205, "max-memory", \.memoryLimitBytes, .bytes(1...MemorySettings.mostBytes, none: "max-per-vm"), .vm,
      "How much memory for host buffers the VM may hold."),
    Setting(
      206, "outputs", \.outputs, .outputNames, .vm,
      """
      Outputs to use, one for each scanout in order; other VMs are moved away. Empty: the VM chooses.
      """),
  ]
}
