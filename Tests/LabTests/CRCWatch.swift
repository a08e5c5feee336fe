import LinuxIO
import Synchronization
import TestSupport

/// Receives the kernel's CRC of every displayed frame of the first CRTC, on a thread of its own, and checks that it is a
/// known one.
final class CRCWatch: @unchecked Sendable {
  /// What has been displayed.
  struct Seen: Sendable, CustomStringConvertible {
    /// CRCs that were received.
    var crcs = 0
    /// The different ones.
    var different: Set<UInt32> = []
    /// CRCs of no known picture.
    var strange = 0
    /// The last vblank with a CRC.
    var newest: UInt32 = 0

    var description: String { "\(crcs) CRCs, \(different.count) different, \(strange) strange" }
  }

  private struct State {
    var seen = Seen()
    var known: Set<UInt32>
    var isEnding = false
  }

  private let state: Mutex<State>
  private let vblanks: VblankCounter
  /// Only the owner's.
  private var thread: WorkerThread?

  init(_ card: String, known: Set<UInt32>) throws {
    state = Mutex(State(known: known))
    vblanks = try VblankCounter(card)
    let context = Unmanaged.passRetained(self).toOpaque()
    thread = try WorkerThread(name: "crc-watch", context: context) { context in
      context.map { Unmanaged<CRCWatch>.fromOpaque($0).takeRetainedValue().look() }
      return nil
    }
  }

  var seen: Seen { state.withLock { $0.seen } }

  /// Waits until all vblanks until now have been composed: vkms reports a flip before that, and a real display engine
  /// would no longer read the last frame then. A CRTC that is off composes nothing.
  func waitUntilComposed() throws {
    guard let last = try? vblanks.count() else { return }
    try LabHost.wait("the CRC of vblank \(last)", seconds: 120) {
      Int32(bitPattern: seen.newest &- last) > 0 || (try? vblanks.count()) == nil
    }
  }

  /// Waits for some more CRCs, unless the CRTC is off.
  func wait(forCRCs count: Int) throws {
    let wanted = seen.crcs + count
    try LabHost.wait("\(count) CRCs", seconds: 300) { seen.crcs >= wanted || (try? vblanks.count()) == nil }
  }

  /// Ends the thread and returns what was seen.
  @discardableResult
  func end() -> Seen {
    state.withLock { $0.isEnding = true }
    thread = nil
    return seen
  }

  private func look() {
    while !state.withLock({ $0.isEnding }) {
      // The kernel offers CRCs while the CRTC is on.
      guard let crcs = try? FrameCRCs() else {
        try? LabHost.pause(milliseconds: 20)
        continue
      }
      receive(crcs)
    }
  }

  private func receive(_ crcs: borrowing FrameCRCs) {
    while !state.withLock({ $0.isEnding }) {
      try? LabHost.pause(milliseconds: 20)
      let displayed = crcs.drain()
      state.withLock { state in
        for frame in displayed {
          state.seen.crcs += 1
          state.seen.newest = frame.vblank
          state.seen.different.insert(frame.crc)
          if !state.known.contains(frame.crc) { state.seen.strange += 1 }
        }
      }
    }
  }
}
