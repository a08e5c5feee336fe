import FrameScheduler

/// The published schedulers that run in the same simulator.
public enum Baseline: String, Hashable, Sendable, Codable, CaseIterable {
  /// Every frame in the order of arrival.
  case plainFIFO = "FIFO"
  /// VGRIS, SLA-aware: sleeps until 1/30 s after the last frame, then first come, first served.
  case vgrisSLA = "VGRIS SLA"
  /// VGRIS, proportional: TimeGraph's posterior enforcement with a period of 1 ms.
  case vgrisProportional = "VGRIS share"
  /// VGRIS, hybrid: one of both for all VMs, by frame rates and use.
  case vgrisHybrid = "VGRIS hybrid"
  /// GVT-g: time slices of 100 ms in ten stages.
  case gvtg = "GVT-g"
  /// GPUvm's BAND.
  case gpuvmBand = "GPUvm BAND"
  /// GPUvm's credit.
  case gpuvmCredit = "GPUvm credit"
  /// The kernel's DRM FAIR.
  case drmFair = "DRM FAIR"
  /// NVIDIA vGPU's round robin with averaging factor 33.
  case nvidiaAveraged = "NVIDIA avg RR"

  func makePolicy(_ guests: [GuestModel]) -> any BaselinePolicy {
    switch self {
    case .plainFIFO: FIFOBaseline()
    case .vgrisSLA: VGRISBaseline(guests, mode: .sla)
    case .vgrisProportional: VGRISBaseline(guests, mode: .proportional)
    case .vgrisHybrid: VGRISBaseline(guests, mode: .hybrid)
    case .gvtg: GVTBaseline(guests)
    case .gpuvmBand: CreditBaseline(guests, usesBand: true)
    case .gpuvmCredit: CreditBaseline(guests, usesBand: false)
    case .drmFair: FairBaseline(guests)
    case .nvidiaAveraged: AveragedBaseline(guests)
    }
  }
}

/// The oldest frame of a VM that waits for the engine.
struct BaselineHead {
  var cost: Nanoseconds
  var arrived: Nanoseconds
}

/// A scheduler of whole frames, asked whenever the engine is idle. Each is as its source says, on blits instead of
/// GPU jobs.
protocol BaselinePolicy {
  /// Chooses the VM whose oldest frame runs; `nil` leaves the engine idle until the next tick or frame.
  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int?
  /// A frame has run.
  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds)
  /// Called every millisecond.
  mutating func tick(_ heads: [BaselineHead?], at now: Nanoseconds)
}

extension BaselinePolicy {
  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {}
  mutating func tick(_ heads: [BaselineHead?], at now: Nanoseconds) {}

  /// The VM whose head has waited longest, of those that pass.
  func oldest(_ heads: [BaselineHead?], where passes: (Int) -> Bool = { _ in true }) -> Int? {
    var best: (vm: Int, arrived: Nanoseconds)?
    for (vm, head) in heads.enumerated() {
      guard let head, passes(vm), head.arrived < best?.arrived ?? .max else { continue }
      best = (vm, head.arrived)
    }
    return best?.vm
  }
}

/// One queue for all.
struct FIFOBaseline: BaselinePolicy {
  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? { oldest(heads) }
}
