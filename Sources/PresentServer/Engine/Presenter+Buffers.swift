import GraphicsMemory
import Outputs
import PresentProtocol
import Scanout

/// Buffers for clients of an output.
extension Presenter {
  /// Creates a buffer of the output, or a shadow buffer with the reason why the output cannot scan it out.
  func frameBuffer(_ create: CreateBuffer) throws(OutputError) -> (any ScanoutBuffer, String?) {
    let (width, height) = (Int(create.width), Int(create.height))
    if sharing.layout.isTiled {
      guard
        let layout = FrameLayout(
          width: width, height: height, strideBytes: ShadowBuffer.strideBytes(width: width, planesOf: output),
          format: create.format.opaque)
      else { throw .rejected("invalid buffer size \(width)x\(height)") }
      return (try ShadowBuffer(layout: layout, planesOf: output), "\(name) is shared")
    }
    // Outputs ignore alpha, so an opaque format is used.
    let buffer = try output.makeBuffer(width: width, height: height, format: create.format.opaque)
    let source = Rect(width: width, height: height)
    guard case .compose(let why) = output.fit(buffer, source: source, keeping: keptMode),
      let layout = FrameLayout(
        width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: create.format.opaque)
    else { return (buffer, nil) }
    return (try ShadowBuffer(layout: layout), why)
  }

  /// Imports a client's memory as a buffer of the output.
  func importedBuffer(
    _ memory: ImportedMemory, _ layout: FrameLayout, _ modifier: UInt64
  ) throws(OutputError) -> any ScanoutBuffer {
    let buffer = try output.importBuffer(memory, layout: layout, modifier: modifier)
    if !sharing.layout.isTiled, let why = reasonToCopy(buffer) { throw .rejected(why) }
    return buffer
  }

  /// Why a client's buffer would be composed although a host buffer would be scanned out directly; nil otherwise.
  ///
  /// A frame whose size matches no mode is composed in either case, then directly from the client's memory.
  private func reasonToCopy(_ buffer: any ScanoutBuffer) -> String? {
    let layout = buffer.layout
    let kept = keptMode
    guard case .compose(let why) = output.fit(buffer, source: layout.bounds, keeping: kept),
      let host = try? output.makeBuffer(width: layout.width, height: layout.height, format: layout.format.opaque)
    else { return nil }
    if case .compose = output.fit(host, source: layout.bounds, keeping: kept) { return nil }
    return why
  }
}
