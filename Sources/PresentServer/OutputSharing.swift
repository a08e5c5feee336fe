import DaemonSettings
import FrameScheduler

/// How the VMs on an output share it: the layout and the policy that were asked for, and what follows from them.
///
/// The one place that decides which policy is in force and whether pictures are painted into one.
struct OutputSharing: Equatable {
  let layout: OutputLayout
  /// The policy of the settings.
  let requestedPolicy: SchedulingPolicy
  /// Whether clients have the output as a DRM lease or wait for it.
  let hasLessees: Bool
  /// The policy in force.
  let policy: SchedulingPolicy
  /// Whether one VM has the output at a time.
  let isExclusive: Bool
  /// Whether tiles are painted into one picture; otherwise one scanout's frames go to the output as they are.
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
