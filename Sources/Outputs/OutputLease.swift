public import LinuxIO

/// An output in another program's hands: a DRM lease.
public struct OutputLease {
  /// A DRM device that has nothing but the leased objects, of which it is the master. Whoever holds a copy of it holds
  /// the lease.
  public var descriptor: SharedFD
  /// The kernel's number of the lessee.
  public var lesseeID: UInt32
  /// The leased connector.
  public var connectorID: UInt32
  /// The leased CRTC.
  public var crtcID: UInt32
  /// The leased primary plane; overlays and cursor planes are found by asking the descriptor.
  public var planeID: UInt32

  /// A lease.
  public init(descriptor: SharedFD, lesseeID: UInt32, connectorID: UInt32, crtcID: UInt32, planeID: UInt32) {
    self.descriptor = descriptor
    self.lesseeID = lesseeID
    self.connectorID = connectorID
    self.crtcID = crtcID
    self.planeID = planeID
  }
}
