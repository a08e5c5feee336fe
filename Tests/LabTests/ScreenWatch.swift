import Glibc
import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Synchronization

/// Takes pictures of an output without a pause, on a thread of its own, and checks every pixel of each: it is
/// known, or black.
final class ScreenWatch: @unchecked Sendable {
  /// What has been seen.
  struct Seen: Sendable, CustomStringConvertible {
    /// Pictures that were checked.
    var pictures = 0
    /// Changes from one colour to another.
    var changes = 0
    /// Pictures that were black.
    var black = 0
    /// The first pixel that no known picture has, with its place.
    var stranger: String?
    /// Pictures with such pixels.
    var strange = 0

    var description: String {
      "\(pictures) pictures, \(changes) changes, \(black) black, \(strange) strange \(stranger ?? "")"
    }
  }

  private struct State {
    var seen = Seen()
    var last: UInt32 = 0
    var isEnding = false
  }

  private let state = Mutex(State())
  private let output: String
  private let socket: String
  private let isKnown: @Sendable (UInt32) -> Bool
  /// Only the owner's.
  private var thread: WorkerThread?

  /// - Parameter isKnown: whether a picture may have this pixel; black is always known.
  init(_ host: LabHost, output: String, isKnown: @escaping @Sendable (UInt32) -> Bool) throws {
    (self.output, socket, self.isKnown) = (output, host.controlSocket, isKnown)
    let context = Unmanaged.passRetained(self).toOpaque()
    thread = try WorkerThread(name: "screen-watch", context: context) { context in
      context.map { Unmanaged<ScreenWatch>.fromOpaque($0).takeRetainedValue().look() }
      return nil
    }
  }

  var seen: Seen { state.withLock { $0.seen } }

  /// Waits for some more pictures.
  func wait(forPictures count: Int) throws {
    let wanted = seen.pictures + count
    try LabHost.wait("\(count) pictures of \(output)", seconds: 120) { seen.pictures >= wanted }
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
      guard let picture = try? PresentTool.snapshot(.output(name: output), path: socket).mapped else { continue }
      check(picture)
    }
  }

  private func check(_ picture: MappedBuffer) {
    let layout = picture.layout
    picture.beginAccess(read: true)
    defer { picture.endAccess(read: true) }
    let first = picture.pixels.load(as: UInt32.self) & 0xFF_FFFF
    var stranger: String?
    var y = 0
    // Plain loops: tests are debug builds. Equal rows of one colour are compared by the C library.
    while y < layout.height, stranger == nil {
      let row = picture.pixels + y * layout.strideBytes
      let isUniform =
        memcmp(row, row + 4, layout.width * 4 - 4) == 0 && row.load(as: UInt32.self) & 0xFF_FFFF == first
      if !isUniform || y == 0 {
        var x = 0
        while x < layout.width {
          let pixel = row.load(fromByteOffset: x * 4, as: UInt32.self) & 0xFF_FFFF
          if pixel != 0, !isKnown(pixel) {
            stranger = "0x\(String(pixel, radix: 16)) at \(x), \(y)"
            break
          }
          x += isUniform ? layout.width : 1
        }
      }
      y += 1
    }
    state.withLock { state in
      state.seen.pictures += 1
      if state.last != first { state.seen.changes += 1 }
      if first == 0 { state.seen.black += 1 }
      state.last = first
      guard let stranger else { return }
      state.seen.strange += 1
      state.seen.stranger = state.seen.stranger ?? stranger
    }
  }
}
