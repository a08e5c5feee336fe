import StatusModel

// Values for tests, with what a test does not name at rest.

extension DaemonStatus {
  static func sample(
    at seconds: Double = 1, outputs: [DaemonStatus.Output] = [], vms: [DaemonStatus.VM] = []
  ) -> DaemonStatus {
    DaemonStatus(
      nowNanoseconds: UInt64(seconds * 1e9), unixNanoseconds: 1_700_000_000_000_000_000, socket: "/run/socket",
      controlSocket: "/run/control",
      clients: 1, clientLimit: 512,
      process: Process(
        pid: 1, startedUnixNanoseconds: 0, cpuNanoseconds: 0, residentBytes: nil, openDescriptors: nil,
        descriptorLimit: nil), bufferBytes: 0, bufferCapacityBytes: nil, bufferOverheadBytes: 0,
      memorySelection: .agingBestFit, countsImports: false, longestCopyNanoseconds: 0, seat: nil,
      outputs: outputs, vms: vms)
  }
}

extension DaemonStatus.Output {
  static func sample(
    _ name: String, kind: Kind = .headless, width: Int = 64, height: Int = 48, refreshMillihertz: Int = 60_000,
    commits: UInt64 = 0, connected: Bool = true, power: Power = .on, lessee: Lessee? = nil, vm: String? = nil
  ) -> DaemonStatus.Output {
    DaemonStatus.Output(
      name: name, kind: kind, width: width, height: height, refreshMillihertz: refreshMillihertz, commits: commits,
      missedVblanks: 0, connected: connected, cursorSize: 64, layout: "single", policy: .hybrid,
      redZoneNanoseconds: 0, maximumHoldSeconds: nil, watchdogSeconds: nil, overlayPlanes: 0, leasePolicy: "own",
      leasesWaiting: 0, lessee: lessee, vrr: .off, variableSlowestMillihertz: nil, variableFastestMillihertz: nil,
      isVariable: false, power: power, powerReason: power == .on ? nil : .command, idleBlankSeconds: nil,
      idleOffSeconds: nil, vms: [], vm: vm)
  }
}

extension DaemonStatus.VM {
  static func sample(
    _ name: String, pid: Int32 = 7, weight: Int64 = 100, scanouts: [DaemonStatus.Scanout]
  ) -> DaemonStatus.VM {
    DaemonStatus.VM(
      name: name, pid: pid, uid: 0, label: nil, kind: .vm, bufferBytes: 0, bufferLimitBytes: 0, waitingBuffers: 0,
      waitingBytes: 0,
      weight: weight, promisedHertz: nil, cappedHertz: nil, unseenHertz: 2, scanouts: scanouts)
  }
}

extension DaemonStatus.Scanout {
  static func sample(
    _ index: Int = 0, output: String? = "A", size: (width: Int, height: Int)? = (64, 48), reason: String? = nil,
    presented: UInt64 = 0, flipped: UInt64 = 0, superseded: UInt64 = 0, copies: UInt64 = 0, copiedBytes: UInt64 = 0,
    latchP99Nanoseconds: UInt64? = nil, grantedFrames: UInt64? = nil, grantedBlitNanoseconds: UInt64? = nil
  ) -> DaemonStatus.Scanout {
    DaemonStatus.Scanout(
      index: index, output: output, width: size?.width, height: size?.height,
      format: size == nil ? nil : "XRGB8888", path: .copy, pathReason: reason, framesPresented: presented,
      framesFlipped: flipped, framesSuperseded: superseded, framesRejected: 0, cpuCopies: copies,
      copiedBytes: copiedBytes, latchMedianNanoseconds: nil, latchP99Nanoseconds: latchP99Nanoseconds, latchCount: 0,
      latchSumNanoseconds: 0, latchBuckets: [], lastLatchNanoseconds: nil, grantedFrames: grantedFrames,
      grantedBlitNanoseconds: grantedBlitNanoseconds, missedPromises: nil, buffers: 0, generation: 1, parked: nil)
  }
}
