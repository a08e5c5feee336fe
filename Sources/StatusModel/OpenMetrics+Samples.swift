extension OpenMetrics {
  typealias Labels = [(name: String, value: String)]

  static func gauge(
    _ name: String, unit: String? = nil, _ help: String, _ value: @escaping @Sendable (DaemonStatus) -> MetricValue?
  ) -> MetricFamily {
    MetricFamily(name: name, kind: .gauge, unit: unit, labels: [], help: help) { status in
      value(status).map { [MetricFamily.Sample(value: $0)] } ?? []
    }
  }

  static func counter(
    _ name: String, unit: String? = nil, _ help: String, _ value: @escaping @Sendable (DaemonStatus) -> MetricValue
  ) -> MetricFamily {
    MetricFamily(name: name, kind: .counter, unit: unit, labels: [], help: help) { status in
      [MetricFamily.Sample(suffix: "_total", value: value(status))]
    }
  }

  static func output(
    _ kind: MetricFamily.Kind, _ name: String, unit: String? = nil, _ help: String,
    _ value: @escaping @Sendable (DaemonStatus.Output) -> MetricValue
  ) -> MetricFamily {
    MetricFamily(name: name, kind: kind, unit: unit, labels: ["output"], help: help) { status in
      status.outputs.map {
        MetricFamily.Sample(suffix: suffix(kind), labels: [("output", $0.name)], value: value($0))
      }
    }
  }

  static func vm(
    _ name: String, unit: String? = nil, _ help: String,
    _ value: @escaping @Sendable (DaemonStatus.VM) -> MetricValue?
  ) -> MetricFamily {
    MetricFamily(name: name, kind: .gauge, unit: unit, labels: ["vm"], help: help) { status in
      status.vms.compactMap { vm in
        value(vm).map { MetricFamily.Sample(labels: [("vm", vm.name)], value: $0) }
      }
    }
  }

  static func scanout(
    _ kind: MetricFamily.Kind, _ name: String, unit: String? = nil, _ help: String,
    _ value: @escaping @Sendable (DaemonStatus.Scanout) -> MetricValue?
  ) -> MetricFamily {
    MetricFamily(name: name, kind: kind, unit: unit, labels: ["vm", "scanout"], help: help) { status in
      scanouts(status).compactMap { vm, scanout in
        value(scanout).map {
          MetricFamily.Sample(suffix: suffix(kind), labels: labels(vm, scanout), value: $0)
        }
      }
    }
  }

  static func scanouts(_ status: DaemonStatus) -> [(DaemonStatus.VM, DaemonStatus.Scanout)] {
    status.vms.flatMap { vm in vm.scanouts.map { (vm, $0) } }
  }

  static func labels(_ vm: DaemonStatus.VM, _ scanout: DaemonStatus.Scanout) -> Labels {
    [("vm", vm.name), ("scanout", "\(scanout.index)")]
  }

  /// Returns no samples if the status has other bounds than this program.
  static func histogram(_ labels: Labels, _ scanout: DaemonStatus.Scanout) -> [MetricFamily.Sample] {
    let bounds = DaemonStatus.Scanout.latchBoundsNanoseconds
    guard scanout.latchBuckets.count == bounds.count else { return [] }
    let buckets = zip(bounds, scanout.latchBuckets).map { bound, count in
      MetricFamily.Sample(
        suffix: "_bucket", labels: labels + [("le", MetricValue.nanoseconds(bound).description)],
        value: MetricValue(count))
    }
    let all = MetricValue(scanout.latchCount)
    return buckets + [
      MetricFamily.Sample(suffix: "_bucket", labels: labels + [("le", "+Inf")], value: all),
      MetricFamily.Sample(suffix: "_count", labels: labels, value: all),
      MetricFamily.Sample(suffix: "_sum", labels: labels, value: .nanoseconds(scanout.latchSumNanoseconds)),
    ]
  }

  private static func suffix(_ kind: MetricFamily.Kind) -> String { kind == .counter ? "_total" : "" }
}

extension DaemonStatus {
  /// Converts CLOCK_MONOTONIC to CLOCK_REALTIME, by both clocks' values when the status was made.
  func unixTime(of nanoseconds: UInt64) -> UInt64 {
    let age = nowNanoseconds > nanoseconds ? nowNanoseconds - nanoseconds : 0
    return unixNanoseconds > age ? unixNanoseconds - age : 0
  }
}
