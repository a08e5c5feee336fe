import CDRM
import Glibc
public import GraphicsMemory
import LinuxIO
public import Outputs
import Scanout

/// The writeback connector of an output's CRTC.
struct Writeback {
  let connectorID: UInt32
  let properties: WritebackProperties

  /// Nil if the card has no writeback connector for this CRTC that supports XRGB8888.
  init?(_ connector: Connector?, _ device: CardDevice) {
    guard let connector, let properties = try? WritebackProperties(connector.properties) else { return nil }
    let formats = device.blob(connector.properties.value("WRITEBACK_PIXEL_FORMATS"))
    let wanted = PixelFormat.xrgb8888.fourcc
    let has = stride(from: 0, to: formats.count - 3, by: 4).contains { start in
      (0..<4).allSatisfy { formats[start + $0] == UInt8(truncatingIfNeeded: wanted >> UInt32(8 * $0)) }
    }
    guard has else { return nil }
    connectorID = connector.id
    self.properties = properties
  }

  func appendDetach(to request: inout AtomicRequest) {
    request.begin(connectorID)
    request.set(properties.crtcID, 0)
  }
}

extension KMSOutput {
  /// The picture that the CRTC scans out now, written by the hardware into a host buffer. Nil while the output is off,
  /// without a writeback connector, and if the driver does not accept one beside the monitor's connector.
  ///
  /// Waits for a few frames at most. The first call attaches the writeback connector, which is a mode set for some
  /// drivers; it stays attached until `close`.
  public func capture() throws(OutputError) -> MappedBuffer? {
    try checkUsable()
    // A lessee may have turned the CRTC on or off, or set another mode.
    let own = scene == nil ? nil : (width: mode.mode.width, height: mode.mode.height)
    guard let size = lease == nil ? own : currentSize else { return nil }
    let attached = writeback
    guard let target = attached ?? Writeback(card.writebackConnector(for: pipeline.crtc), device) else { return nil }
    let buffer: KMSBuffer
    do {
      buffer = try KMSBuffer.dumb(
        device, width: size.width, height: size.height, format: .xrgb8888, fourcc: PixelFormat.xrgb8888.fourcc)
    } catch {
      throw .system(error)
    }
    var fence: Int32 = -1
    // SAFETY: the kernel writes the fence's number through the pointer before the commit returns.
    let code = unsafe withUnsafeMutablePointer(to: &fence) { pointer in
      request.reset()
      request.begin(target.connectorID)
      request.set(target.properties.crtcID, UInt64(pipeline.crtc.id))
      request.set(target.properties.framebufferID, UInt64(buffer.framebufferID))
      request.set(target.properties.outFencePointer, UInt64(UInt(bitPattern: pointer)))
      request.begin(pipeline.crtc.id)
      request.set(pipeline.crtcProperties.active, 1)
      // Without NONBLOCK the call waits for a pending commit, and there is no event.
      return request.submit(device, flags: attached == nil ? UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET) : 0)
    }
    // Linux 6.12.y checks which connectors may share a CRTC, and its vkms does not allow these two to.
    if code == EINVAL && attached == nil { return nil }
    if code != 0 { throw outputError(code, "writeback") }
    writeback = target
    // An attached writeback connector would block the lessee's mode sets.
    defer { if lease != nil { detachWriteback() } }
    guard fence >= 0 else { throw .rejected("\(card.capabilities.driverName) gave no writeback fence") }
    let owned = OwnedFD(taking: fence)
    let frames = Int32(clamping: mode.mode.periodNanoseconds / 1_000_000 + 1) * 10
    let isDone: Bool
    do {
      isDone = try !waitUntilReady(owned.raw, .readable, timeoutMilliseconds: max(frames, 2000)).isEmpty
    } catch {
      throw .system(error)
    }
    if !isDone { throw .rejected("the writeback timed out") }
    return try buffer.mapped()
  }

  private func detachWriteback() {
    request.reset()
    writeback?.appendDetach(to: &request)
    writeback = nil
    _ = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
  }
}
