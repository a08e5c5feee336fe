import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A buffer that a client made or gave, as long as anyone uses it.
final class ClientBuffer {
  let id: BufferID
  let buffer: any ScanoutBuffer
  let usage: BufferUsage
  let isImported: Bool
  /// Why the output itself can never show it; nil where it can.
  let composeReason: String?
  /// The scanout that is told of its release; nil once the client has lost or destroyed it, and before the scanout goes.
  unowned var head: Surface?
  /// The last frame that was presented with it.
  var lastFrame: UInt64 = 0
  /// Signalled once nobody reads it any more.
  private var releasePoints: [ReleasePoint] = []
  /// Where it is: waiting, on its way to the screen, on the screen.
  private var useCount = 0
  private let account: MemoryAccount
  /// Bytes that were granted for it.
  private let chargedBytes: Int

  init(
    id: BufferID, buffer: any ScanoutBuffer, usage: BufferUsage, isImported: Bool, composeReason: String?,
    head: Surface,
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

  /// What a plane shows of it.
  var planeBuffer: (any ScanoutBuffer)? {
    if let shadow = buffer as? ShadowBuffer { return shadow.planeBuffer }
    return buffer
  }

  func beginUse() { useCount += 1 }

  /// Tells the client once the last use has ended.
  func endUse() {
    useCount -= 1
    guard useCount == 0 else { return }
    head?.release(self)
    if !releasePoints.isEmpty { releasePoints.removeAll(keepingCapacity: true) }
  }

  /// Keeps a point until the present use has ended; false where there are too many already.
  func hold(_ point: ReleasePoint) -> Bool {
    guard releasePoints.count < 64 else { return false }
    releasePoints.append(point)
    return true
  }
}

/// A sealed memfd that the daemon composes from, given to a client whose pictures the output cannot show as they are:
/// reading scan-out memory with a CPU would be far slower.
final class ShadowBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let byteCount: Int
  /// The same memory as a buffer of the output's overlay planes; nil where it has none or does not take it.
  let planeBuffer: (any ScanoutBuffer)?
  private let mapping: MappedBuffer

  init(layout: FrameLayout, planesOf output: (any Output)? = nil) throws(OutputError) {
    guard let byteCount = roundedUpToPages(layout.byteCount) else { throw .rejected("the picture is too large") }
    self.layout = layout
    self.byteCount = byteCount
    do throws(SystemError) {
      let fd = SharedFD(try MemFD.create(name: "framepath-picture", byteCount: byteCount))
      mapping = try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: byteCount)
    } catch {
      throw .system(error)
    }
    guard let output, output.overlayCount > 0 else {
      planeBuffer = nil
      return
    }
    let range = MemoryRange(fd: mapping.fd.raw, offset: 0, byteCount: byteCount)
    planeBuffer = try? output.importBuffer(.memfd([range], [mapping.fd]), layout: layout, modifier: 0)
  }

  /// Rows that planes of all drivers take.
  static func strideBytes(width: Int, planesOf output: any Output) -> Int {
    let byteCount = width * PixelFormat.bytesPerPixel
    return output.overlayCount > 0 ? (byteCount + 255) & ~255 : byteCount
  }

  var memoryKind: MemoryKind { .memfd }
  func mapped() throws(OutputError) -> MappedBuffer { mapping }
  func descriptor() throws(OutputError) -> OwnedFD {
    do throws(SystemError) { return try mapping.fd.duplicate() } catch { throw .system(error) }
  }
}
