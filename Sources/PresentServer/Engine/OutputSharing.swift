import DaemonSettings
import FrameScheduler

/// How the VMs on an output share it: the requested layout and policy, and their consequences.
///
/// Decides which policy is in effect, and whether frames are composed.
struct OutputSharing: Equatable {
  let layout: OutputLayout
  /// The policy of the settings.
  let requestedPolicy: SchedulingPolicy
  /// Whether clients hold a lease of the output or wait for one.
  let hasLessees: Bool
  /// The policy in effect.
  let policy: SchedulingPolicy
  /// Whether one VM at a time holds the output.
  let isExclusive: Bool
  /// Whether tiles are composed into one buffer; otherwise one scanout's frames are shown directly.
  let isTiled: Bool

  init(layout: OutputLayout = .single, policy: SchedulingPolicy = .hybrid, hasLessees: Bool = false) {
    self.layout = layout
    requestedPolicy = policy
    self.hasLessees = hasLessees
    self.policy = layout == .focus || hasLessees ? .exclusive : policy
    isExclusive = self.policy == .exclusive
    isTiled = layout.isTiled && !isExclusive
  }

  func with(layout: OutputLayout) -> OutputSharing {
    OutputSharing(layout: layout, policy: requestedPolicy, hasLessees: hasLessees)
  }

  func with(policy: SchedulingPolicy) -> OutputSharing {
    OutputSharing(layout: layout, policy: policy, hasLessees: hasLessees)
  }

  func with(lessees hasLessees: Bool) -> OutputSharing {
    OutputSharing(layout: layout, policy: requestedPolicy, hasLessees: hasLessees)
  }
}
