import CDRM
import LinuxIO
public import Scanout

/// A connector of a card, with the monitor that is plugged in.
public struct ConnectorDescription: Equatable, Sendable {
  /// The kernel's name: `HDMI-A-1`, `Virtual-1`, …
  public var name: String
  /// Whether a monitor is plugged in.
  public var connected: Bool
  /// The monitor's modes, the preferred one first.
  public var modes: [DisplayMode]
  /// Physical width in millimetres; 0 if unknown.
  public var widthMillimetres: Int
  /// Physical height in millimetres; 0 if unknown.
  public var heightMillimetres: Int
  /// The monitor's EDID; empty if it has none.
  public var edid: [UInt8]
}

/// A connector with its KMS ids.
struct Connector {
  let id: UInt32
  let isWriteback: Bool
  /// Bit n is set if the card's n-th CRTC can drive it.
  let possibleCRTCs: UInt32
  /// The CRTC that drove it when it was read; nil if none did.
  let currentCRTC: UInt32?
  let modes: [KMSMode]
  let properties: PropertyTable
  let description: ConnectorDescription
}

extension Connector {
  /// Reads a connector.
  ///
  /// The corresponding C functions are `drmModeGetConnector` and `drmModeGetConnectorCurrent`.
  /// - Parameter probe: probes the monitor again, which may take 100 ms.
  init(_ device: CardDevice, id: UInt32, probe: Bool) throws(SystemError) {
    let raw = device.fd.raw
    guard let read = unsafe probe ? drmModeGetConnector(raw, id) : drmModeGetConnectorCurrent(raw, id) else {
      throw SystemError(call: "drmModeGetConnector", code: errorNumber(), subject: "\(id)")
    }
    defer { unsafe drmModeFreeConnector(read) }
    let connector = unsafe read.pointee
    self.id = id
    isWriteback = unsafe connector.connector_type == UInt32(DRM_MODE_CONNECTOR_WRITEBACK)
    possibleCRTCs = unsafe drmModeConnectorGetPossibleCrtcs(raw, read)
    properties = try PropertyTable(device, object: id, type: UInt32(DRM_MODE_OBJECT_CONNECTOR), name: "connector")
    let crtcID = UInt32(truncatingIfNeeded: properties.value("CRTC_ID"))
    currentCRTC = crtcID == 0 ? nil : crtcID
    var timings: [drmModeModeInfo] = []
    // SAFETY: libdrm allocated count_modes modes.
    if let modes = unsafe connector.modes {
      unsafe timings = Array(UnsafeBufferPointer(start: modes, count: Int(connector.count_modes)))
    }
    modes = KMSMode.usable(timings)
    description = ConnectorDescription(
      name: Connector.name(type: unsafe connector.connector_type, number: unsafe connector.connector_type_id),
      connected: unsafe connector.connection == DRM_MODE_CONNECTED, modes: modes.map(\.mode),
      widthMillimetres: Int(unsafe connector.mmWidth), heightMillimetres: Int(unsafe connector.mmHeight),
      edid: device.blob(properties.value("EDID")))
  }

  /// The kernel's name of a connector.
  static func name(type: UInt32, number: UInt32) -> String {
    let typeName = unsafe drmModeGetConnectorTypeName(type).map { unsafe String(cString: $0) } ?? "Unknown"
    return "\(typeName)-\(number)"
  }
}
