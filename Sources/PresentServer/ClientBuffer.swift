import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol

/// Bytes of host buffers that one client holds, or all together; those that are destroyed but still on screen included.
final class MemoryAccount {
  var limitBytes: Int
  private(set) var usedBytes = 0
  /// Everybody's.
  private let whole: MemoryAccount?

  init(limitBytes: Int, whole: MemoryAccount? = nil) {
    self.limitBytes = limitBytes
    self.whole = whole
  }

  /// Why so many bytes more cannot be had, or nil. Nobody else loses anything by the question.
  func objection(to byteCount: Int) -> String? {
    if byteCount > limitBytes - usedBytes {
      return "\(byteCount) bytes more than the \(usedBytes) held would exceed the limit of \(limitBytes) bytes"
    }
    guard let whole, byteCount > whole.limitBytes - whole.usedBytes else { return nil }
    return "\(byteCount) bytes more than the \(whole.usedBytes) that all hold would exceed the daemon's capacity of "
      + "\(whole.limitBytes) bytes; ask again when a VM has ended"
  }

  fileprivate func charge(_ byteCount: Int) {
    usedBytes += byteCount
    whole?.charge(byteCount)
  }
}

/// A buffer that a client made or gave, as long as anyone uses it.
final class ClientBuffer {
  let id: UInt32
  let buffer: any ScanoutBuffer
  let usage: BufferUsage
  let isImported: Bool
  /// Why the output itself can never show it; nil where it can.
  let composeReason: String?
  /// The scanout that is told of its release; nil once the client has lost or destroyed it.
  weak var head: Head?
  /// The last frame that was presented with it.
  var lastFrame: UInt64 = 0
  /// Where it is: waiting, on its way to the screen, on the screen.
  private var useCount = 0
  private let account: MemoryAccount
  private let chargedBytes: Int

  init(
    id: UInt32, buffer: any ScanoutBuffer, usage: BufferUsage, isImported: Bool, composeReason: String?, head: Head,
    account: MemoryAccount
  ) {
    self.id = id
    self.buffer = buffer
    self.usage = usage
    self.isImported = isImported
    self.composeReason = composeReason
    self.head = head
    self.account = account
    chargedBytes = isImported ? 0 : buffer.byteCount
    account.charge(chargedBytes)
  }

  deinit { account.charge(-chargedBytes) }

  func beginUse() { useCount += 1 }

  /// Tells the client once the last use has ended.
  func endUse() {
    useCount -= 1
    if useCount == 0 { head?.release(self) }
  }
}

/// A sealed memfd that the daemon composes from, given to a client whose pictures the output cannot show as they are:
/// reading scan-out memory with a CPU would be far slower.
final class ShadowBuffer: ScanoutBuffer {
  let layout: FrameLayout
  private let mapping: MappedBuffer

  init(layout: FrameLayout) throws(OutputError) {
    self.layout = layout
    do throws(SystemError) {
      let fd = SharedFD(try MemFD.create(name: "framepath-picture", byteCount: layout.byteCount))
      mapping = try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: layout.byteCount)
    } catch {
      throw .system(error)
    }
  }

  var memoryKind: MemoryKind { .memfd }
  var byteCount: Int { layout.byteCount }
  func mapped() throws(OutputError) -> MappedBuffer { mapping }
  func descriptor() throws(OutputError) -> OwnedFD {
    do throws(SystemError) { return try mapping.fd.duplicate() } catch { throw .system(error) }
  }
}
