import LinuxIO

/// Another vhost-user GPU backend, driven with the same load.
public enum BenchPeer: Sendable, Equatable {
  /// A backend that is already listening on a socket.
  case listening(socket: String)
  /// A program that is started for each run.
  case program(name: String, executable: String, arguments: [String])

  /// The name in errors and reports.
  public var name: String {
    switch self {
    case .listening(let socket): "peer at \(socket)"
    case .program(let name, _, _): name
    }
  }

  /// The name of `empty`.
  public static let emptyName = "empty backend"

  /// A backend that does nothing, to measure the cost of the benchmark itself.
  static func empty(_ programs: BenchPrograms) throws(BenchError) -> BenchPeer {
    .program(name: emptyName, executable: try programs.path("framepath-bench"), arguments: ["empty-backend"])
  }

  /// The backends that are installed here: QEMU's, the lab's QEMU 11, and Rust's vhost-device-gpu.
  public static func installed() -> [BenchPeer] {
    var peers: [BenchPeer] = []
    let places = ["/usr/lib/qemu", "/usr/libexec", "/usr/libexec/qemu", "/usr/local/libexec"]
    for place in places where LinuxFile.isAccessible("\(place)/vhost-user-gpu", .execute) {
      peers.append(.program(name: "QEMU's vhost-user-gpu", executable: "\(place)/vhost-user-gpu", arguments: []))
      break
    }
    if let lab = labPeer() { peers.append(lab) }
    for folder in (environmentVariable("PATH") ?? "").split(separator: ":") {
      let path = "\(folder)/vhost-device-gpu"
      guard LinuxFile.isAccessible(path, .execute) else { continue }
      peers.append(
        .program(name: "vhost-device-gpu", executable: path, arguments: ["--gpu-mode", "virglrenderer"]))
      break
    }
    return peers
  }

  /// The program of Tests/Lab/peer-backend, with the lab's loader and libraries.
  private static func labPeer() -> BenchPeer? {
    let home = environmentVariable("HOME") ?? "/root"
    let cache =
      environmentVariable("FRAMEPATH_LAB_CACHE")
      ?? "\(environmentVariable("XDG_CACHE_HOME") ?? "\(home)/.cache")/framepath-lab"
    let root = "\(cache)/root"
    let program = "\(cache)/peer/usr/lib/qemu/vhost-user-gpu"
    let loader = "\(root)/lib64/ld-linux-x86-64.so.2"
    guard LinuxFile.isAccessible("\(cache)/complete", .read), LinuxFile.isAccessible(program, .execute) else {
      return nil
    }
    let libraries = "\(cache)/peer/usr/lib/x86_64-linux-gnu:\(root)/usr/lib/x86_64-linux-gnu"
    return .program(
      name: "QEMU 11's vhost-user-gpu", executable: loader,
      arguments: ["--library-path", libraries, "--argv0", "vhost-user-gpu", program])
  }
}

/// One phase of one run of a peer.
public struct PeerRun: Codable, Equatable, Sendable {
  /// The peer's name.
  public var name: String
  /// The whole picture in every frame, unpaced. `presented` and `flipped` are the pictures that it sent.
  public var unpaced: PhaseFigures
  /// 16 × 16 pixels in every frame, unpaced.
  public var unpacedCorner: PhaseFigures
  /// The whole picture at the screen's rate.
  public var paced: PhaseFigures
}

extension ThroughputRun {
  /// Our frames per second over the peer's, for whole pictures, unpaced.
  public func rateRatio(_ peer: PeerRun) -> Double {
    peer.unpaced.framesPerSecond > 0 ? unpaced.framesPerSecond / peer.unpaced.framesPerSecond : 0
  }
  /// Whole pictures that we copied per second over the peer's frames per second; 0 if nothing is copied. Some pictures
  /// of a guest that is faster than its screen are superseded before they are copied.
  public func copiedRateRatio(_ peer: PeerRun) -> Double {
    guard peer.unpaced.framesPerSecond > 0, unpaced.seconds > 0, pictureBytes > 0 else { return 0 }
    return Double(unpaced.copiedBytes) / Double(pictureBytes) / unpaced.seconds / peer.unpaced.framesPerSecond
  }
  /// The peer's CPU time per frame over ours (backend and daemon), for whole pictures, unpaced.
  public func unpacedCPURatio(_ peer: PeerRun) -> Double {
    unpaced.totalMicroseconds > 0 ? peer.unpaced.backendMicroseconds / unpaced.totalMicroseconds : 0
  }
  /// The peer's CPU time per picture over ours per picture that was copied or shown, since the peer sends every picture
  /// and we leave out superseded ones.
  public func pictureCPURatio(_ peer: PeerRun) -> Double {
    let pictures = unpaced.copiedBytes > 0 ? unpaced.copiedBytes / UInt64(max(pictureBytes, 1)) : unpaced.flipped
    let ours = unpaced.totalMicroseconds * Double(unpaced.frames) / Double(max(pictures, 1))
    return ours > 0 ? peer.unpaced.backendMicroseconds / ours : 0
  }
  /// The same at the screen's refresh rate, when every frame is copied and shown.
  public func pacedCPURatio(_ peer: PeerRun) -> Double {
    paced.totalMicroseconds > 0 ? peer.paced.backendMicroseconds / paced.totalMicroseconds : 0
  }
}
