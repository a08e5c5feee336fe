import CDRM
import LinuxIO

/// The state of a CRTC, its connector and its planes before an output took them over.
struct SavedState {
  private struct PlaneState {
    let id: UInt32
    let properties: PlaneProperties
    let values: PropertyTable
  }

  /// Whether the connector was showing a picture through this CRTC.
  let wasShowing: Bool
  private let mode: [UInt8]
  private let wasVariable: Bool
  private let planes: [PlaneState]

  /// Reads the current state.
  init(_ device: CardDevice, _ pipeline: Pipeline, planes allPlanes: [Plane]) throws(KMSError) {
    do throws(SystemError) {
      let connector = try PropertyTable(
        device, object: pipeline.connectorID, type: UInt32(DRM_MODE_OBJECT_CONNECTOR), name: "connector")
      let crtc = try PropertyTable(
        device, object: pipeline.crtc.id, type: UInt32(DRM_MODE_OBJECT_CRTC), name: "CRTC")
      wasShowing = crtc.value("ACTIVE") == 1 && connector.value("CRTC_ID") == UInt64(pipeline.crtc.id)
      mode = device.blob(crtc.value("MODE_ID"))
      wasVariable = crtc.value("VRR_ENABLED") == 1
      var tables: [PropertyTable] = []
      for plane in allPlanes {
        tables.append(
          try PropertyTable(device, object: plane.id, type: UInt32(DRM_MODE_OBJECT_PLANE), name: "plane"))
      }
      var planes: [PlaneState] = []
      for (plane, table) in zip(allPlanes, tables) where table.value("CRTC_ID") == UInt64(pipeline.crtc.id) {
        // Planes that lack the properties of every atomic driver are skipped.
        guard let properties = try? PlaneProperties(table) else { continue }
        planes.append(PlaneState(id: plane.id, properties: properties, values: table))
      }
      self.planes = planes
    } catch {
      throw .system(error)
    }
  }

  /// Turns off the former owner's planes that the output does not use itself.
  func appendTakingOver(to request: inout AtomicRequest, keeping own: [UInt32]) {
    for plane in planes where !own.contains(plane.id) {
      request.begin(plane.id)
      request.set(plane.properties.framebufferID, 0)
      request.set(plane.properties.crtcID, 0)
    }
  }

  /// Restores the state, or turns the pipeline off if nothing was shown or the framebuffer is gone.
  func restore(_ device: CardDevice, _ pipeline: Pipeline, writeback: Writeback?, request: inout AtomicRequest) {
    if wasShowing, let blob = try? PropertyBlob(device, bytes: mode) {
      request.reset()
      writeback?.appendDetach(to: &request)
      request.begin(pipeline.connectorID)
      request.set(pipeline.connectorProperties.crtcID, UInt64(pipeline.crtc.id))
      request.begin(pipeline.crtc.id)
      request.set(pipeline.crtcProperties.active, 1)
      request.set(pipeline.crtcProperties.modeID, UInt64(blob.id))
      pipeline.crtcProperties.appendVariable(wasVariable, to: &request)
      for (id, properties) in pipeline.planes where !planes.contains(where: { $0.id == id }) {
        request.begin(id)
        request.set(properties.framebufferID, 0)
        request.set(properties.crtcID, 0)
      }
      for plane in planes { append(plane, to: &request) }
      if request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET)) == 0 { return }
    }
    request.reset()
    writeback?.appendDetach(to: &request)
    pipeline.appendOff(to: &request)
    _ = request.submit(device, flags: UInt32(DRM_MODE_ATOMIC_ALLOW_MODESET))
  }

  private func append(_ plane: PlaneState, to request: inout AtomicRequest) {
    let ids = plane.properties
    let values = plane.values
    request.begin(plane.id)
    request.set(ids.framebufferID, values.value("FB_ID"))
    request.set(ids.crtcID, values.value("CRTC_ID"))
    request.set(ids.sourceX, values.value("SRC_X"))
    request.set(ids.sourceY, values.value("SRC_Y"))
    request.set(ids.sourceWidth, values.value("SRC_W"))
    request.set(ids.sourceHeight, values.value("SRC_H"))
    request.set(ids.crtcX, values.value("CRTC_X"))
    request.set(ids.crtcY, values.value("CRTC_Y"))
    request.set(ids.crtcWidth, values.value("CRTC_W"))
    request.set(ids.crtcHeight, values.value("CRTC_H"))
  }
}

extension Pipeline {
  /// The planes of the pipeline with their properties.
  var planes: [(id: UInt32, properties: PlaneProperties)] {
    var planes = [(primary.id, primaryProperties)]
    for overlay in overlays { planes.append((overlay.plane.id, overlay.properties)) }
    if let cursor, let cursorProperties { planes.append((cursor.id, cursorProperties)) }
    return planes
  }

  /// Turns off planes, CRTC and connector.
  func appendOff(to request: inout AtomicRequest) {
    for (id, properties) in planes {
      request.begin(id)
      request.set(properties.framebufferID, 0)
      request.set(properties.crtcID, 0)
    }
    request.begin(connectorID)
    request.set(connectorProperties.crtcID, 0)
    request.begin(crtc.id)
    request.set(crtcProperties.active, 0)
    request.set(crtcProperties.modeID, 0)
    crtcProperties.appendVariable(false, to: &request)
  }
}
