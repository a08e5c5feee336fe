public import GraphicsMemory
import LinuxIO
public import Outputs
public import Scanout

extension KMSOutput {
  /// A dumb buffer, exported as a dma-buf; the driver chooses its stride.
  public func makeBuffer(width: Int, height: Int, format: PixelFormat) throws(OutputError) -> any ScanoutBuffer {
    let fourcc = try planeFormat(for: format)
    do {
      return try KMSBuffer.dumb(device, width: width, height: height, format: format, fourcc: fourcc)
    } catch {
      throw .system(error)
    }
  }

  /// A dumb buffer of the cursor plane's size; without such a plane a buffer that the daemon blends from.
  public func makeCursorBuffer() throws(OutputError) -> any ScanoutBuffer {
    let size = cursorSize > 0 ? cursorSize : 64
    let fourcc = cursorSize > 0 ? PixelFormat.argb8888.fourcc : try planeFormat(for: .argb8888)
    do {
      return try KMSBuffer.dumb(device, width: size, height: size, format: .argb8888, fourcc: fourcc)
    } catch {
      throw .system(error)
    }
  }

  /// Imports a client's pages or dma-buf as a buffer of this output; a TEST_ONLY commit must accept it.
  public func importBuffer(
    _ memory: ImportedMemory, layout: FrameLayout, modifier: UInt64
  ) throws(OutputError) -> any ScanoutBuffer {
    try checkUsable()
    let buffer = try card.importer.buffer(
      memory, layout: layout, modifier: modifier, fourcc: try planeFormat(for: layout.format))
    // Test the part that the current mode has room for; the fit of other sizes is asked for later.
    let visible = Rect(
      width: min(layout.width, mode.mode.width), height: min(layout.height, mode.mode.height))
    let code = test(buffer, visible, mode)
    // A driver that only supports full-screen planes cannot be tested with a smaller picture.
    if code != 0 && visible.width == mode.mode.width && visible.height == mode.mode.height {
      throw .rejected(refusal(code, "to show the imported memory (pitch \(layout.strideBytes))"))
    }
    return buffer
  }

  /// The fourcc by which the primary plane reads a format: without alpha if the plane supports that.
  func planeFormat(for format: PixelFormat) throws(OutputError) -> UInt32 {
    let formats = pipeline.primary.formats
    for candidate in [format.opaque, format] where formats.contains(candidate.fourcc) { return candidate.fourcc }
    let has = formats.map(fourccText).joined(separator: ", ")
    throw .rejected("\(connector.description.name) supports \(has), not \(format.name)")
  }
}
