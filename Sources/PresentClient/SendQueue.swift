import LinuxIO
import PresentProtocol
import Scanout

/// Messages that a full socket did not accept. A newer frame or cursor replaces an older one of its scanout, so that a
/// daemon that pauses costs neither memory nor order.
struct SendQueue {
  enum Outcome {
    case queued
    case superseded(Present)
    case full
  }

  static let capacity = 256
  private var messages: [(message: ClientMessage, fds: [SharedFD])] = []

  init() { messages.reserveCapacity(SendQueue.capacity) }

  var isEmpty: Bool { messages.isEmpty }
  /// The oldest message with its descriptors.
  var first: (ClientMessage, [SharedFD])? { messages.first }
  mutating func removeFirst() { messages.removeFirst() }
  mutating func removeAll() { messages.removeAll(keepingCapacity: true) }

  mutating func add(_ message: ClientMessage, fds: [SharedFD] = []) -> Outcome {
    switch message {
    case .present(let new): return add(new, fds)
    case .cursor(let new):
      for index in messages.indices {
        if case .cursor(let old) = messages[index].message, old.scanout == new.scanout {
          messages.remove(at: index)
          break
        }
      }
      return append(message)
    case .hello, .createBuffer, .importBuffer, .destroyBuffer, .disable, .path, .status, .snapshot, .settings,
      .trace, .region, .syncPoints, .lease, .subscribe, .focus, .revoke, .device:
      return append(message, fds)
    }
  }

  private mutating func add(_ new: Present, _ fds: [SharedFD]) -> Outcome {
    for index in messages.indices.reversed() {
      switch messages[index].message {
      case .disable(let scanout) where scanout == new.scanout: return append(.present(new), fds)
      case .present(let old) where old.scanout == new.scanout:
        messages.remove(at: index)
        var merged = new
        merged.copies += old.copies
        merged.copiedBytes += old.copiedBytes
        merged.damage.add(old.source == new.source ? old.damage : .full)
        messages.append((.present(merged), fds))
        return .superseded(old)
      default: continue
      }
    }
    return append(.present(new), fds)
  }

  private mutating func append(_ message: ClientMessage, _ fds: [SharedFD] = []) -> Outcome {
    guard messages.count < SendQueue.capacity else { return .full }
    messages.append((message, fds))
    return .queued
  }
}
