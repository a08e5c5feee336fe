import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol

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
  /// Bytes that were granted for it.
  private let chargedBytes: Int

  init(
    id: UInt32, buffer: any ScanoutBuffer, usage: BufferUsage, isImported: Bool, composeReason: String?, head: Head,
    account: MemoryAccount, chargedBytes: Int
  ) {
    self.id = id
    self.buffer = buffer
    self.usage = usage
    self.isImported = isImported
    self.composeReason = composeReason
    self.head = head
    self.account = account
    self.chargedBytes = chargedBytes
    account.charge(chargedBytes)
  }

  deinit { account.discharge(chargedBytes) }

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
