import Foundation
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout
import Synchronization

/// A host on its own thread that "shows" each frame at once and releases the one before it.
final class EchoHost: @unchecked Sendable {
  let host: RegionHost
  private let stopping = Atomic(false)
  private let offersOutput = Atomic(false)
  private let ended = DispatchSemaphore(value: 0)
  /// The frames whose pixels all had the colour of their number.
  let goodFrames = Atomic(0)

  /// - Parameter hasOutput: false: the region has no output before `offerOutput`.
  init(slotCount: Int = 3, hasOutput: Bool = true) throws {
    let size = 64 * 32 * 4
    guard let layout = RegionLayout(fittingFrameBytes: size, slotCount: slotCount) else { throw Unfit() }
    host = try RegionHost(name: "echo", layout: layout, sharesClock: true)
    if hasOutput { setOutput() }
    host.setState(.presenting)
  }

  struct Unfit: Error {}

  /// Gives the running region its output.
  func offerOutput() { offersOutput.store(true, ordering: .relaxed) }

  private func setOutput() { host.setOutput(RegionOutput(width: 64, height: 32, refreshMillihertz: 60_000)) }

  /// A path that another client can open.
  var path: String { "/proc/self/fd/\(host.fd.raw)" }

  func start() {
    Thread.detachNewThread { [self] in
      serve()
      ended.signal()
    }
  }

  private func serve() {
    guard let raw = try? Mapping(fd: host.fd.raw, byteCount: host.layout.regionByteCount) else { return }
    var shown: Int?
    while !stopping.load(ordering: .relaxed) {
      if host.checkAttach() != nil { shown = nil }
      if offersOutput.exchange(false, ordering: .relaxed) { setOutput() }
      while case .frame(let frame) = host.takeFrame() {
        let pixels = (raw.base + host.layout.slotOffset(frame.slot)).assumingMemoryBound(to: UInt32.self)
        let count = frame.layout.strideBytes / 4 * frame.layout.height
        if (0..<count).allSatisfy({ pixels[$0] == UInt32(truncatingIfNeeded: frame.frame) }) {
          goodFrames.add(1, ordering: .relaxed)
        }
        host.done(frame.slot, .flipped, timeNanoseconds: monotonicNanoseconds(), sequence: frame.frame)
        if let shown { host.release(shown) }
        shown = frame.slot
      }
      usleep(100)
    }
  }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }
}
