import CDRM
import Scanout

/// The state of a plane: framebuffer, source rectangle and position on the CRTC.
struct PlaneScene: Equatable {
  var framebufferID: UInt32
  /// Pixels of the framebuffer.
  var source: Rect
  /// Pixels from the left of the CRTC; may be negative.
  var x: Int
  /// Pixels from the top of the CRTC; may be negative.
  var y: Int

  /// Adds the plane's properties. Nothing is scaled: the plane covers as many pixels of the CRTC as of the source.
  ///
  /// `SRC_*` are 16.16 fixed point, `CRTC_*` whole pixels.
  func append(to request: inout AtomicRequest, plane: UInt32, _ ids: PlaneProperties, crtc: UInt32) {
    request.begin(plane)
    request.set(ids.framebufferID, UInt64(framebufferID))
    request.set(ids.crtcID, UInt64(crtc))
    request.set(ids.sourceX, UInt64(source.x) << 16)
    request.set(ids.sourceY, UInt64(source.y) << 16)
    request.set(ids.sourceWidth, UInt64(source.width) << 16)
    request.set(ids.sourceHeight, UInt64(source.height) << 16)
    request.set(ids.crtcX, signed: x)
    request.set(ids.crtcY, signed: y)
    request.set(ids.crtcWidth, UInt64(source.width))
    request.set(ids.crtcHeight, UInt64(source.height))
  }
}

/// The state of a CRTC.
struct Scene: Equatable {
  var primary: PlaneScene
  /// Nil hides the cursor.
  var cursor: PlaneScene?
  var overlays = OverlayScenes()
  /// Whether the monitor's rate follows the commits.
  var isVariable = false

  /// Adds the whole scene with the mode, for an inactive CRTC or another mode.
  func appendModeset(to request: inout AtomicRequest, _ pipeline: Pipeline, modeBlob: UInt32) {
    request.begin(pipeline.connectorID)
    request.set(pipeline.connectorProperties.crtcID, UInt64(pipeline.crtc.id))
    request.begin(pipeline.crtc.id)
    request.set(pipeline.crtcProperties.active, 1)
    request.set(pipeline.crtcProperties.modeID, UInt64(modeBlob))
    pipeline.crtcProperties.appendVariable(isVariable, to: &request)
    primary.append(
      to: &request, plane: pipeline.primary.id, pipeline.primaryProperties, crtc: pipeline.crtc.id)
    for plane in pipeline.overlays.indices { appendOverlay(plane, to: &request, pipeline) }
    appendCursor(to: &request, pipeline)
  }

  /// Adds the changes since the last scene. The CRTC is always included, so that there is always a flip event.
  ///
  /// - Parameters:
  ///   - redraws: the picture changed, even if the framebuffer is the same.
  ///   - clips: a blob of the changed rectangles; nil for everything.
  func appendFlip(
    to request: inout AtomicRequest, _ pipeline: Pipeline, after last: Scene, redraws: Bool, clips: UInt32?
  ) {
    request.begin(pipeline.crtc.id)
    request.set(pipeline.crtcProperties.active, 1)
    if isVariable != last.isVariable { pipeline.crtcProperties.appendVariable(isVariable, to: &request) }
    let changesPicture = primary != last.primary || redraws
    if changesPicture {
      primary.append(
        to: &request, plane: pipeline.primary.id, pipeline.primaryProperties, crtc: pipeline.crtc.id)
      if let clips, let property = pipeline.primaryProperties.damageClips { request.set(property, UInt64(clips)) }
    }
    var changesOverlay = false
    // An overlay's content may have changed in the same framebuffer.
    for plane in pipeline.overlays.indices where overlays[plane] != nil || last.overlays[plane] != nil {
      appendOverlay(plane, to: &request, pipeline)
      changesOverlay = true
    }
    // The cursor moved, or the commit has no other reason: then its pixels may have changed.
    if cursor != last.cursor || (!changesPicture && !changesOverlay && cursor != nil) {
      appendCursor(to: &request, pipeline)
    }
  }

  private func appendOverlay(_ plane: Int, to request: inout AtomicRequest, _ pipeline: Pipeline) {
    let (id, ids) = (pipeline.overlays[plane].plane.id, pipeline.overlays[plane].properties)
    if let overlay = overlays[plane] {
      overlay.append(to: &request, plane: id, ids, crtc: pipeline.crtc.id)
    } else {
      request.begin(id)
      request.set(ids.framebufferID, 0)
      request.set(ids.crtcID, 0)
    }
  }

  private func appendCursor(to request: inout AtomicRequest, _ pipeline: Pipeline) {
    guard let plane = pipeline.cursor, let ids = pipeline.cursorProperties else { return }
    if let cursor {
      cursor.append(to: &request, plane: plane.id, ids, crtc: pipeline.crtc.id)
    } else {
      request.begin(plane.id)
      request.set(ids.framebufferID, 0)
      request.set(ids.crtcID, 0)
    }
  }
}

/// The states of the CRTC's overlay planes, by their index in the pipeline.
struct OverlayScenes: Equatable {
  private var scenes: InlineArray<8, PlaneScene?> = InlineArray(repeating: nil)

  subscript(plane: Int) -> PlaneScene? {
    get { scenes[plane] }
    set { scenes[plane] = newValue }
  }

  static func == (left: OverlayScenes, right: OverlayScenes) -> Bool {
    for plane in left.scenes.indices where left.scenes[plane] != right.scenes[plane] { return false }
    return true
  }
}
