import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A buffer that a client created or imported; it lives while it is in use.
final class ClientBuffer {
  let id: BufferID
  let buffer: any ScanoutBuffer
  let usage: BufferUsage
  let isImported: Bool
  /// The memory of an imported memfd, for reading it once; nil for other memory, which can be mapped.
  let pages: ClientPages?
  /// An imported dma-buf, which is readable when the drivers that write it have finished; nil for other memory.
  var dmaBuf: SharedFD?
  /// Why the output cannot scan the buffer out; nil if it can.
  let composeReason: String?
  /// The surface that receives the release; nil after the buffer is lost or destroyed. Cleared before the surface ends.
  unowned var surface: Surface?
  /// The last frame presented with it.
  var lastFrame: UInt64 = 0
  /// Signalled when the buffer is released.
  private var releasePoints: [ReleasePoint] = []
  /// The number of uses: waiting frames, pending commits and pictures on screen.
  private var useCount = 0
  /// Whether its memory could be mapped for reading.
  private var isReadable = false
  /// Of `gatheredBytes`.
  private var countedBytes: UInt64 = 0
  /// Of the client that owns it.
  let account: MemoryAccount
  /// The descriptor of its memory.
  private let descriptor: DescriptorHold
  /// Bytes charged to the client's account.
  private let chargedBytes: Int

  init(
    id: BufferID, buffer: any ScanoutBuffer, usage: BufferUsage, isImported: Bool, composeReason: String?,
    surface: Surface, account: MemoryAccount, chargedBytes: Int, descriptors: DescriptorAccount,
    pages: ClientPages? = nil, dmaBuf: SharedFD? = nil
  ) {
    self.id = id
    self.buffer = buffer
    self.usage = usage
    self.isImported = isImported
    self.pages = pages
    self.dmaBuf = dmaBuf
    descriptor = DescriptorHold(for: descriptors)
    self.composeReason = composeReason
    self.surface = surface
    self.account = account
    self.chargedBytes = chargedBytes
    account.charge(chargedBytes)
  }

  deinit { account.discharge(chargedBytes) }

  /// The buffer to use on an overlay plane.
  var planeBuffer: (any ScanoutBuffer)? {
    if let shadow = buffer as? ShadowBuffer { return shadow.planeBuffer }
    return buffer
  }

  /// Maps its memory, for an output that reads it.
  func checkReadable() throws(OutputError) {
    if isReadable { return }
    _ = try buffer.mapped()
    isReadable = true
  }

  /// Counts for the client what had to be copied to read its pages, since the last call.
  func countGathered() {
    let total = buffer.gatheredBytes
    surface?.countCopy(total - countedBytes)
    countedBytes = total
  }

  /// Readable when the drivers that write the buffer have finished; nil if they have.
  ///
  /// To read a dma-buf, and to show it, waits without end for such a driver's fence.
  var driverFence: SharedFD? {
    guard let dmaBuf, (try? waitUntilReady(dmaBuf.raw, .readable, timeoutMilliseconds: 0))?.isEmpty == true
    else { return nil }
    // A descriptor of its own, because several frames in the buffer may wait.
    do throws(SystemError) { return SharedFD(try dmaBuf.duplicate()) } catch { return dmaBuf }
  }

  func beginUse() { useCount += 1 }

  /// Ends a use; the last one releases the buffer to the client.
  func endUse() {
    useCount -= 1
    guard useCount == 0 else { return }
    surface?.release(self)
    if !releasePoints.isEmpty { releasePoints.removeAll(keepingCapacity: true) }
  }

  /// Holds a release point until all uses have ended; false if there are too many.
  func hold(_ point: ReleasePoint) -> Bool {
    guard releasePoints.count < 64 else { return false }
    releasePoints.append(point)
    return true
  }
}

/// A sealed memfd that the daemon composes from, for clients whose frames the output cannot scan out directly. Reading
/// scanout memory with a CPU would be much slower.
final class ShadowBuffer: ScanoutBuffer {
  let layout: FrameLayout
  let byteCount: Int
  /// The same memory imported for the output's overlay planes; nil if there are none or the import fails.
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

  /// A stride in bytes that overlay planes of all drivers accept.
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
