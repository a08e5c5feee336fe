import CDRM
import LinuxIO

/// The properties of a KMS object when it was read: ids and values by name.
struct PropertyTable {
  struct Entry: Equatable {
    var id: UInt32
    var value: UInt64
  }

  /// The object's name in errors: `plane 31`.
  let object: String
  let entries: [String: Entry]

  init(object: String, entries: [String: Entry]) {
    self.object = object
    self.entries = entries
  }

  /// Reads all properties of an object.
  ///
  /// The corresponding C functions are `drmModeObjectGetProperties` and `drmModeGetProperty`.
  init(_ device: CardDevice, object id: UInt32, type: UInt32, name: String) throws(SystemError) {
    let raw = device.fd.raw
    guard let list = unsafe drmModeObjectGetProperties(raw, id, type) else {
      throw SystemError(call: "drmModeObjectGetProperties", code: errorNumber(), subject: "\(name) \(id)")
    }
    defer { unsafe drmModeFreeObjectProperties(list) }
    var entries: [String: Entry] = [:]
    for index in 0..<Int(unsafe list.pointee.count_props) {
      // SAFETY: both arrays have count_props elements.
      let propertyID = unsafe list.pointee.props[index]
      let value = unsafe list.pointee.prop_values[index]
      guard let property = unsafe drmModeGetProperty(raw, propertyID) else { continue }
      defer { unsafe drmModeFreeProperty(property) }
      entries[fixedText(unsafe property.pointee.name)] = Entry(id: propertyID, value: value)
    }
    self.init(object: "\(name) \(id)", entries: entries)
  }

  /// The id of a property that every atomic driver has.
  func required(_ name: String) throws(KMSError) -> UInt32 {
    guard let entry = entries[name], entry.id != 0 else { throw .missingProperty(object: object, name: name) }
    return entry.id
  }

  /// The id of a property that some drivers lack; nil if it is missing.
  func optional(_ name: String) -> UInt32? { entries[name]?.id }

  /// The value when the table was read; 0 if the property is missing.
  func value(_ name: String) -> UInt64 { entries[name]?.value ?? 0 }
}

/// Property ids of a CRTC.
struct CRTCProperties: Equatable {
  let active: UInt32
  let modeID: UInt32
  /// VRR_ENABLED; nil if the driver lacks variable refresh.
  let variable: UInt32?

  init(_ table: PropertyTable) throws(KMSError) {
    active = try table.required("ACTIVE")
    modeID = try table.required("MODE_ID")
    variable = table.optional("VRR_ENABLED")
  }
}

/// Property ids of a connector.
struct ConnectorProperties: Equatable {
  let crtcID: UInt32

  init(_ table: PropertyTable) throws(KMSError) { crtcID = try table.required("CRTC_ID") }
}

/// Property ids of a writeback connector.
struct WritebackProperties: Equatable {
  let crtcID: UInt32
  let framebufferID: UInt32
  let outFencePointer: UInt32

  init(_ table: PropertyTable) throws(KMSError) {
    crtcID = try table.required("CRTC_ID")
    framebufferID = try table.required("WRITEBACK_FB_ID")
    outFencePointer = try table.required("WRITEBACK_OUT_FENCE_PTR")
  }
}

/// Property ids of a plane.
struct PlaneProperties: Equatable {
  let framebufferID: UInt32
  let crtcID: UInt32
  let sourceX: UInt32
  let sourceY: UInt32
  let sourceWidth: UInt32
  let sourceHeight: UInt32
  let crtcX: UInt32
  let crtcY: UInt32
  let crtcWidth: UInt32
  let crtcHeight: UInt32
  /// FB_DAMAGE_CLIPS; nil if the driver does not support them.
  let damageClips: UInt32?

  init(_ table: PropertyTable) throws(KMSError) {
    framebufferID = try table.required("FB_ID")
    crtcID = try table.required("CRTC_ID")
    sourceX = try table.required("SRC_X")
    sourceY = try table.required("SRC_Y")
    sourceWidth = try table.required("SRC_W")
    sourceHeight = try table.required("SRC_H")
    crtcX = try table.required("CRTC_X")
    crtcY = try table.required("CRTC_Y")
    crtcWidth = try table.required("CRTC_W")
    crtcHeight = try table.required("CRTC_H")
    damageClips = table.optional("FB_DAMAGE_CLIPS")
  }
}
