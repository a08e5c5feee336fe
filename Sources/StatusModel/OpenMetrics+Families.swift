extension OpenMetrics {
  /// All families in their order.
  public static let families: [MetricFamily] =
    daemonFamilies + processFamilies + outputFamilies + vmFamilies + scanoutFamilies

  private static let daemonFamilies: [MetricFamily] = [
    gauge("framepath_clients", "Connections to the daemon.") { MetricValue($0.clients) },
    gauge("framepath_client_limit", "Limit for connections.") { MetricValue($0.clientLimit) },
    gauge("framepath_buffer_bytes", unit: "bytes", "Buffers of all clients.") { MetricValue($0.bufferBytes) },
    gauge(
      "framepath_buffer_capacity_bytes", unit: "bytes",
      "Limit for all clients together, including overheads; no sample without a limit."
    ) { $0.bufferCapacityBytes.map { MetricValue($0) } },
    gauge(
      "framepath_longest_copy_seconds", unit: "seconds",
      "The longest time for which copies have held the daemon's loop in one iteration."
    ) { .nanoseconds($0.longestCopyNanoseconds) },
  ]

  private static let processFamilies: [MetricFamily] = [
    counter("framepath_process_cpu_seconds", unit: "seconds", "CPU time of the daemon, user and system.") {
      .nanoseconds($0.process.cpuNanoseconds)
    },
    gauge("framepath_process_resident_memory_bytes", unit: "bytes", "Resident memory of the daemon.") {
      $0.process.residentBytes.map { MetricValue($0) }
    },
    gauge("framepath_process_open_fds", "Open descriptors of the daemon.") {
      $0.process.openDescriptors.map { MetricValue($0) }
    },
    gauge("framepath_process_max_fds", "Limit for open descriptors of the daemon.") {
      $0.process.descriptorLimit.map { MetricValue($0) }
    },
    gauge("framepath_process_start_time_seconds", unit: "seconds", "When the daemon started to serve, Unix time.") {
      .nanoseconds($0.process.startedUnixNanoseconds)
    },
  ]

  private static let outputFamilies: [MetricFamily] = [
    MetricFamily(
      name: "framepath_output", kind: .info, labels: ["output", "kind", "layout", "policy"],
      help: "An output and its settings."
    ) { status in
      status.outputs.map {
        MetricFamily.Sample(
          suffix: "_info",
          labels: [
            ("output", $0.name), ("kind", $0.kind.rawValue), ("layout", $0.layout), ("policy", $0.policy.rawValue),
          ], value: .integer(1))
      }
    },
    output(.gauge, "framepath_output_connected", "Whether the output has a monitor.") { MetricValue($0.connected) },
    MetricFamily(
      name: "framepath_output_power", kind: .stateSet, labels: ["output", "framepath_output_power"],
      help: "Power state of the output: on, blank or off."
    ) { status in
      status.outputs.flatMap { output in
        DaemonStatus.Output.Power.allCases.map {
          MetricFamily.Sample(
            labels: [("output", output.name), ("framepath_output_power", $0.rawValue)],
            value: MetricValue($0 == output.power))
        }
      }
    },
    output(.gauge, "framepath_output_leased", "Whether a client has leased the output.") {
      MetricValue($0.lessee != nil)
    },
    output(.gauge, "framepath_output_refresh_hertz", unit: "hertz", "Refresh rate of the output's mode.") {
      .milli($0.refreshMillihertz)
    },
    output(.counter, "framepath_output_commits", "Commits since the output was opened.") { MetricValue($0.commits) },
    output(
      .counter, "framepath_output_missed_vblanks",
      "Commits since the output was opened that flipped at least one vblank late."
    ) { MetricValue($0.missedVblanks) },
    output(.gauge, "framepath_output_red_zone_seconds", unit: "seconds", "Safety margin before a vblank.") {
      .nanoseconds(UInt64(clamping: $0.redZoneNanoseconds))
    },
    output(.gauge, "framepath_output_vms", "Scanouts on the output.") { MetricValue($0.vms.count) },
  ]

  private static let vmFamilies: [MetricFamily] = [
    vm("framepath_vm_buffer_bytes", unit: "bytes", "Buffers of the VM.") { MetricValue($0.bufferBytes) },
    vm("framepath_vm_buffer_limit_bytes", unit: "bytes", "Limit for the VM's buffers.") {
      MetricValue($0.bufferLimitBytes)
    },
    vm(
      "framepath_vm_device_memory_limit_bytes", unit: "bytes",
      "Limit for the memory of the VM's device; no sample: not reported."
    ) { $0.deviceMemoryLimitBytes.map { MetricValue($0) } },
    vm("framepath_vm_waiting_buffers", "Requests of the VM for buffers that wait for memory.") {
      MetricValue($0.waitingBuffers)
    },
    vm("framepath_vm_weight", "Share of the VM relative to the weights of others.") { MetricValue($0.weight) },
    vm("framepath_vm_promised_hertz", unit: "hertz", "Promised frames per second of the VM; no sample: none.") {
      $0.promisedHertz.map { MetricValue($0) }
    },
    vm("framepath_vm_capped_hertz", unit: "hertz", "Cap of the VM in frames per second; no sample: no cap.") {
      $0.cappedHertz.map { MetricValue($0) }
    },
  ]

  private static let scanoutFamilies: [MetricFamily] = [
    MetricFamily(
      name: "framepath_scanout", kind: .info, labels: ["vm", "scanout", "output", "path"],
      help: "Output and path of a scanout; output is empty without one."
    ) { status in
      scanouts(status).map { vm, scanout in
        MetricFamily.Sample(
          suffix: "_info",
          labels: labels(vm, scanout) + [("output", scanout.output ?? ""), ("path", scanout.path.rawValue)],
          value: .integer(1))
      }
    },
    scanout(.gauge, "framepath_scanout_parked", "Whether the scanout is parked.") {
      MetricValue($0.parked != nil)
    },
    scanout(.counter, "framepath_frames_presented", "Presented frames.") { MetricValue($0.framesPresented) },
    scanout(.counter, "framepath_frames_flipped", "Flipped frames.") { MetricValue($0.framesFlipped) },
    scanout(.counter, "framepath_frames_superseded", "Superseded frames.") {
      MetricValue($0.framesSuperseded)
    },
    scanout(.counter, "framepath_frames_rejected", "Rejected frames.") {
      MetricValue($0.framesRejected)
    },
    scanout(.counter, "framepath_cpu_copies", "CPU copies of frames or their damage.") {
      MetricValue($0.cpuCopies)
    },
    scanout(.counter, "framepath_copied_bytes", unit: "bytes", "Bytes of CPU copies.") {
      MetricValue($0.copiedBytes)
    },
    scanout(
      .counter, "framepath_granted_frames", "Frames that the output's scheduler brought on screen; per output."
    ) { $0.grantedFrames.map { MetricValue($0) } },
    scanout(
      .counter, "framepath_granted_blit_seconds", unit: "seconds",
      "Copy time that the output's scheduler granted; per output."
    ) { $0.grantedBlitNanoseconds.map { .nanoseconds($0) } },
    scanout(
      .counter, "framepath_missed_promises",
      "Promised frames that were ready in time but flipped late; per output."
    ) { $0.missedPromises.map { MetricValue($0) } },
    MetricFamily(
      name: "framepath_last_latch_timestamp_seconds", kind: .gauge, unit: "seconds", labels: ["vm", "scanout"],
      help: "Last commit of a new frame, Unix time; no sample before the first."
    ) { status in
      scanouts(status).compactMap { vm, scanout in
        scanout.lastLatchNanoseconds.map {
          MetricFamily.Sample(labels: labels(vm, scanout), value: .nanoseconds(status.unixTime(of: $0)))
        }
      }
    },
    MetricFamily(
      name: "framepath_latch_seconds", kind: .histogram, unit: "seconds", labels: ["vm", "scanout"],
      help: "Time from a guest's present of a frame to its commit."
    ) { status in scanouts(status).flatMap { histogram(labels($0, $1), $1) } },
  ]
}
