import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol
import StatusModel

// Converts the daemon's enumerations to those of the status.

extension DaemonStatus.MemorySelection {
  init(_ selection: MemorySelection) {
    switch selection {
    case .fifo: self = .fifo
    case .bestFit: self = .bestFit
    case .recentUse: self = .recentUse
    case .random: self = .random
    case .agingBestFit: self = .agingBestFit
    }
  }
}

extension DaemonStatus.Output.Kind {
  init(_ kind: OutputKind) {
    switch kind {
    case .kms: self = .kms
    case .headless: self = .headless
    }
  }
}

extension DaemonStatus.Output.Policy {
  init(_ policy: SchedulingPolicy) {
    switch policy {
    case .fifo: self = .fifo
    case .roundRobin: self = .roundRobin
    case .weightedFair: self = .weightedFair
    case .sla: self = .sla
    case .hybrid: self = .hybrid
    case .exclusive: self = .exclusive
    }
  }
}

extension DaemonStatus.Output.VariableRefresh {
  init(_ rule: DaemonSettings.VariableRefresh) {
    switch rule {
    case .off: self = .off
    case .single: self = .single
    }
  }
}

extension DaemonStatus.Output.Power {
  init(_ power: OutputPower) {
    switch power {
    case .on: self = .on
    case .blank: self = .blank
    case .off: self = .off
    }
  }
}

extension DaemonStatus.Output.PowerReason {
  /// nil while the output is on.
  init?(_ state: PowerControl) {
    if state.effective == .on { return nil }
    self = state.commanded == state.effective ? .command : .idle
  }
}

extension ScanoutPath {
  init(_ path: PresentPath) {
    switch path {
    case .direct: self = .direct
    case .copy: self = .copy
    case .blit: self = .blit
    }
  }
}

extension DaemonTrace.Outcome {
  init(_ outcome: PresentOutcome?) {
    switch outcome {
    case .flipped: self = .flipped
    case .superseded: self = .superseded
    case .rejected: self = .rejected
    case nil: self = .open
    }
  }
}
