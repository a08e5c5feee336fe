import CDRM
import GraphicsMemory
public import Outputs
import Scanout

extension KMSOutput {
  /// The planes above the primary one.
  public var overlayCount: Int { pipeline.overlays.count }

  /// The overlay planes that support the buffer's format. Formats with alpha are excluded: what is below would show
  /// through.
  public func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64 {
    guard let buffer = buffer as? KMSBuffer, buffer.device === device, PixelFormat.isOpaque(fourcc: buffer.fourcc)
    else { return 0 }
    var planes: UInt64 = 0
    for (index, overlay) in pipeline.overlays.enumerated() where overlay.plane.formats.contains(buffer.fourcc) {
      planes |= 1 << UInt64(index)
    }
    return planes
  }

  /// Asks the driver with a TEST_ONLY commit.
  public func accepts(_ frame: OutputFrame) -> Bool {
    guard let picture = frame.buffer, scene != nil else { return false }
    do throws(OutputError) {
      try checkUsable()
      let tested = Scene(
        primary: try place(picture, frame.source, .mode(mode.mode)).plane, cursor: try place(frame.cursor),
        overlays: try place(frame.overlays))
      request.reset()
      tested.appendModeset(to: &request, pipeline, modeBlob: modeBlob.id)
      return submitTest() == 0
    } catch {
      return false
    }
  }

  /// The scenes of the overlay planes for a commit.
  func place(_ overlays: Outputs.Overlays) throws(OutputError) -> OverlayScenes {
    var scenes = OverlayScenes()
    if overlays.isEmpty { return scenes }
    for plane in 0..<Overlays.capacity {
      guard let overlay = overlays[plane] else { continue }
      guard plane < pipeline.overlays.count, let buffer = overlay.buffer as? KMSBuffer, buffer.device === device else {
        throw .rejected("overlay plane \(plane) or its buffer belongs to another output")
      }
      guard !overlay.source.isEmpty, buffer.layout.bounds.contains(overlay.source) else {
        throw .rejected("the source is outside the buffer")
      }
      scenes[plane] = PlaneScene(
        framebufferID: buffer.framebufferID, source: overlay.source, x: overlay.x, y: overlay.y)
    }
    return scenes
  }
}

extension PixelFormat {
  /// Whether a fourcc is a known one without alpha.
  fileprivate static func isOpaque(fourcc: UInt32) -> Bool {
    guard let format = PixelFormat(fourcc: fourcc) else { return false }
    return format.opaque == format
  }
}
