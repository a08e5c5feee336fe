import CDRM
import LinuxIO

/// A CRTC of a card.
struct CRTC {
  let id: UInt32
  /// The index in the card's list, which is the bit in `possibleCRTCs`.
  let index: Int
  let properties: PropertyTable
}

/// A plane of a card.
struct Plane {
  enum Kind: UInt64 {
    case overlay = 0
    case primary = 1
    case cursor = 2
  }

  let id: UInt32
  let kind: Kind
  /// Bit n is set if the card's n-th CRTC can use it.
  let possibleCRTCs: UInt32
  /// The CRTC that used it when it was read; nil if none did.
  let currentCRTC: UInt32?
  /// The fourccs that it supports.
  let formats: [UInt32]
  let properties: PropertyTable

  /// Whether the plane is above another one. Drivers without `zpos` stack planes by type.
  func isAbove(_ other: Plane) -> Bool {
    guard let mine = properties.entries["zpos"], let theirs = other.properties.entries["zpos"] else { return true }
    return mine.value > theirs.value
  }
}

/// The objects of a card. CRTCs and planes do not change while it is open; connectors may be added and removed.
struct Topology {
  let crtcs: [CRTC]
  let planes: [Plane]

  /// The corresponding C functions are `drmModeGetResources`, `drmModeGetPlaneResources` and `drmModeGetPlane`.
  init(_ device: CardDevice) throws(SystemError) {
    let raw = device.fd.raw
    var crtcs: [CRTC] = []
    for (index, id) in try Topology.objectIDs(device).crtcs.enumerated() {
      let table = try PropertyTable(device, object: id, type: UInt32(DRM_MODE_OBJECT_CRTC), name: "CRTC")
      crtcs.append(CRTC(id: id, index: index, properties: table))
    }
    self.crtcs = crtcs
    guard let list = unsafe drmModeGetPlaneResources(raw) else {
      throw SystemError(call: "drmModeGetPlaneResources", code: errorNumber())
    }
    defer { unsafe drmModeFreePlaneResources(list) }
    var planes: [Plane] = []
    for id in unsafe ids(list.pointee.planes, Int(list.pointee.count_planes)) {
      guard let plane = unsafe drmModeGetPlane(raw, id) else { continue }
      defer { unsafe drmModeFreePlane(plane) }
      let table = try PropertyTable(device, object: id, type: UInt32(DRM_MODE_OBJECT_PLANE), name: "plane")
      unsafe planes.append(
        Plane(
          id: id, kind: Plane.Kind(rawValue: table.value("type")) ?? .overlay,
          possibleCRTCs: plane.pointee.possible_crtcs,
          currentCRTC: plane.pointee.crtc_id == 0 ? nil : plane.pointee.crtc_id,
          formats: ids(plane.pointee.formats, Int(plane.pointee.count_formats)), properties: table))
    }
    self.planes = planes
  }

  /// The ids of all CRTCs and connectors.
  static func objectIDs(_ device: CardDevice) throws(SystemError) -> (crtcs: [UInt32], connectors: [UInt32]) {
    guard let resources = unsafe drmModeGetResources(device.fd.raw) else {
      throw SystemError(call: "drmModeGetResources", code: errorNumber(), subject: device.path)
    }
    defer { unsafe drmModeFreeResources(resources) }
    return unsafe (
      ids(resources.pointee.crtcs, Int(resources.pointee.count_crtcs)),
      ids(resources.pointee.connectors, Int(resources.pointee.count_connectors))
    )
  }

  /// All connectors with their current state.
  static func connectors(_ device: CardDevice, probe: Bool) throws(SystemError) -> [Connector] {
    var result: [Connector] = []
    for id in try objectIDs(device).connectors {
      // A connector that has disappeared since the list was read (DisplayPort MST) is skipped.
      if let connector = try? Connector(device, id: id, probe: probe) { result.append(connector) }
    }
    return result
  }
}
