public import LinuxIO

/// A DRM lease of an output.
public struct OutputLease {
  /// A DRM device that has the leased objects only and is their master. The lease lasts until its last copy is closed.
  public var descriptor: SharedFD
  /// The kernel's lessee id.
  public var lesseeID: UInt32
  /// The leased connector.
  public var connectorID: UInt32
  /// The leased CRTC.
  public var crtcID: UInt32
  /// The leased primary plane; the lessee finds overlay and cursor planes through the descriptor.
  public var planeID: UInt32

  /// A lease of those objects.
  public init(descriptor: SharedFD, lesseeID: UInt32, connectorID: UInt32, crtcID: UInt32, planeID: UInt32) {
    self.descriptor = descriptor
    self.lesseeID = lesseeID
    self.connectorID = connectorID
    self.crtcID = crtcID
    self.planeID = planeID
  }
}
