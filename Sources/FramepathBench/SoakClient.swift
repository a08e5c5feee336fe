import LinuxIO

/// One of the daemon's clients in a soak: a VM with its backend, or a container. Driven without waiting.
final class SoakClient {
  let name: String
  let device: BenchDevice
  /// The program between the guest and the daemon; nil for a container.
  let backend: ChildProcess?
  /// Its flipped and superseded frames.
  private(set) var frames = 0
  private let source: any FrameSource
  private let periodNanoseconds: UInt64
  private var isOpen = false
  private var shownAt: UInt64 = 0
  // Declared after the source, so that the guest disconnects before its device ends.
  private let vm: BenchVM?
  private let region: BenchRegion?

  /// Starts its processes and shows its first picture.
  init(
    _ programs: BenchPrograms, _ daemon: BenchDaemon, name: String, device: BenchDevice,
    size: (width: Int, height: Int), refreshHertz: Int
  ) throws(BenchError) {
    self.name = name
    self.device = device
    periodNanoseconds = 1_000_000_000 / UInt64(max(refreshHertz, 1))
    switch device {
    case .complete, .vhostUserGPU:
      let vm = try BenchVM(
        programs, daemon, name: name, device: device, path: device == .complete ? "auto" : "copy",
        ramBytes: BenchGuest.ramBytes(width: size.width, height: size.height))
      source = try BenchGuest(
        vm.frontend, pictures: device == .complete ? .blobs : .images, width: size.width, height: size.height,
        runBytes: 1 << 20, backendName: "framepath-vhost-user-gpu of \(name)")
      (self.vm, region, backend) = (vm, nil, vm.process)
    case .ivshmem:
      let region = try BenchRegion(programs, daemon, name: name, width: size.width, height: size.height)
      source = try RegionSource(region.socket, width: size.width, height: size.height)
      (vm, self.region, backend) = (nil, region, region.process)
    case .client:
      source = try ClientSource(daemon.socket, name: name, width: size.width, height: size.height)
      (vm, region, backend) = (nil, nil, nil)
    }
  }

  deinit { source.end() }

  /// Receives answers, and shows the next frame if the last one is answered and, for kinds that do not wait for the
  /// screen, a vblank has passed.
  func step(at now: UInt64) throws(BenchError) {
    if isOpen {
      guard try source.isAnswered() else {
        guard now - shownAt < 10_000_000_000 else { throw BenchError("\(name): a frame is not answered after 10 s") }
        return
      }
      isOpen = false
      frames += 1
    }
    guard device.isAnsweredByScreen || now - shownAt >= periodNanoseconds else { return }
    try source.showFrame(.wholePicture)
    shownAt = now
    isOpen = true
  }
}
