import CDRM
import LinuxIO

/// The properties of a pipeline's objects before a lessee could set them: gamma, alpha, rotation, VRR, …
/// Properties that every mode set writes are omitted.
struct SavedProperties {
  private struct Entry {
    let object: UInt32
    let property: UInt32
    let value: UInt64
    /// The content of a blob: its id may be reused for another one.
    let blob: [UInt8]?
  }

  private let entries: [Entry]

  /// Reads the current values.
  init(_ device: CardDevice, _ pipeline: Pipeline) { entries = SavedProperties.read(device, pipeline) }

  /// Adds the properties that have changed to the request. The blobs that it needs live in `blobs`.
  func appendChanged(
    _ device: CardDevice, _ pipeline: Pipeline, to request: inout AtomicRequest, blobs: inout [BlobOwner]
  ) {
    var begun: UInt32 = 0
    for (old, new) in zip(entries, SavedProperties.read(device, pipeline)) {
      // A connector's list of properties may change with its monitor; then the rest is skipped.
      guard old.object == new.object, old.property == new.property else { return }
      if old.value == new.value && old.blob == new.blob { continue }
      var value = old.value
      if let content = old.blob {
        value = 0
        if !content.isEmpty {
          guard let blob = try? BlobOwner(device, content) else { continue }
          value = UInt64(blob.id)
          blobs.append(blob)
        }
      }
      if begun != old.object { request.begin(old.object) }
      begun = old.object
      request.set(old.property, value)
    }
  }

  /// Properties that mode sets and flips write, or that are not state.
  private static let ownNames: Set<String> = [
    "ACTIVE", "MODE_ID", "CRTC_ID", "FB_ID", "SRC_X", "SRC_Y", "SRC_W", "SRC_H", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H",
    "FB_DAMAGE_CLIPS", "IN_FENCE_FD", "OUT_FENCE_PTR", "DPMS", "link-status", "WRITEBACK_FB_ID",
    "WRITEBACK_OUT_FENCE_PTR",
  ]

  private static func read(_ device: CardDevice, _ pipeline: Pipeline) -> [Entry] {
    var entries: [Entry] = []
    func add(_ object: UInt32, _ type: Int64) {
      let raw = device.fd.raw
      guard let list = unsafe drmModeObjectGetProperties(raw, object, UInt32(type)) else { return }
      defer { unsafe drmModeFreeObjectProperties(list) }
      for index in 0..<Int(unsafe list.pointee.count_props) {
        // SAFETY: both arrays have count_props elements.
        let (id, value) = unsafe (list.pointee.props[index], list.pointee.prop_values[index])
        guard let property = unsafe drmModeGetProperty(raw, id) else { continue }
        defer { unsafe drmModeFreeProperty(property) }
        let flags = unsafe property.pointee.flags
        guard flags & UInt32(DRM_MODE_PROP_IMMUTABLE) == 0, !ownNames.contains(fixedText(unsafe property.pointee.name))
        else { continue }
        let isBlob = flags & UInt32(DRM_MODE_PROP_BLOB) != 0
        entries.append(Entry(object: object, property: id, value: value, blob: isBlob ? device.blob(value) : nil))
      }
    }
    add(pipeline.connectorID, Int64(DRM_MODE_OBJECT_CONNECTOR))
    add(pipeline.crtc.id, Int64(DRM_MODE_OBJECT_CRTC))
    for plane in pipeline.planeIDs { add(plane, Int64(DRM_MODE_OBJECT_PLANE)) }
    return entries
  }
}

/// A property blob that an array can hold.
final class BlobOwner {
  private let blob: PropertyBlob
  var id: UInt32 { blob.id }

  init(_ device: CardDevice, _ bytes: [UInt8]) throws(SystemError) { blob = try PropertyBlob(device, bytes: bytes) }
}
