import Outputs

/// The assignment of CRTCs to connectors.
enum Assignment {
  /// A connector's requirements.
  struct Wish: Equatable {
    /// The connector.
    var connector: UInt32
    /// Bit n is set if the n-th CRTC can drive it.
    var possibleCRTCs: UInt32
    /// The CRTC that drives it now; nil if none does.
    var currentCRTC: UInt32?
  }

  /// CRTC ids by connector id, for as many connectors as possible.
  ///
  /// A maximum matching by augmenting paths. A connector keeps its current CRTC unless another connector needs it.
  /// - Parameters:
  ///   - wishes: the connectors, most important first.
  ///   - crtcs: the ids of all CRTCs in the card's order; nil for one in use.
  static func match(_ wishes: [Wish], crtcs: [UInt32?]) -> [UInt32: UInt32] {
    // Wish index by CRTC index.
    var owners = [Int?](repeating: nil, count: crtcs.count)
    for (index, wish) in wishes.enumerated() {
      guard let id = wish.currentCRTC, let current = crtcs.firstIndex(of: id), owners[current] == nil,
        can(wish, current)
      else { continue }
      owners[current] = index
    }
    for index in wishes.indices where !owners.contains(index) {
      var visited = [Bool](repeating: false, count: crtcs.count)
      _ = place(index, wishes, crtcs, &owners, &visited)
    }
    var result: [UInt32: UInt32] = [:]
    for (crtc, owner) in owners.enumerated() {
      if let owner, let id = crtcs[crtc] { result[wishes[owner].connector] = id }
    }
    return result
  }

  private static func can(_ wish: Wish, _ crtc: Int) -> Bool { crtc < 32 && wish.possibleCRTCs >> crtc & 1 == 1 }

  private static func place(
    _ index: Int, _ wishes: [Wish], _ crtcs: [UInt32?], _ owners: inout [Int?], _ visited: inout [Bool]
  ) -> Bool {
    for crtc in crtcs.indices where crtcs[crtc] != nil && !visited[crtc] && can(wishes[index], crtc) {
      visited[crtc] = true
      if let owner = owners[crtc], !place(owner, wishes, crtcs, &owners, &visited) { continue }
      owners[crtc] = index
      return true
    }
    return false
  }
}

/// The KMS objects of an output: a connector, its CRTC, and their planes.
struct Pipeline {
  let connectorID: UInt32
  let connectorProperties: ConnectorProperties
  let crtc: CRTC
  let crtcProperties: CRTCProperties
  let primary: Plane
  let primaryProperties: PlaneProperties
  let cursor: Plane?
  let cursorProperties: PlaneProperties?
  /// The planes above the primary one, lowest first.
  let overlays: [(plane: Plane, properties: PlaneProperties)]

  /// The best plane of that kind for the CRTC: the one it uses already, else the one that the fewest other CRTCs can
  /// use.
  static func plane(_ kind: Plane.Kind, for crtc: CRTC, among planes: [Plane], taken: Set<UInt32>) -> Plane? {
    planes
      .filter { $0.kind == kind && !taken.contains($0.id) && $0.possibleCRTCs >> crtc.index & 1 == 1 }
      .min {
        let first = ($0.currentCRTC == crtc.id ? 0 : 1, $0.possibleCRTCs.nonzeroBitCount)
        let second = ($1.currentCRTC == crtc.id ? 0 : 1, $1.possibleCRTCs.nonzeroBitCount)
        return first < second
      }
  }

  /// The overlay planes for a CRTC: its own, and its part of those that several CRTCs can use.
  ///
  /// Planes that are, or may be, below the primary plane are omitted: they would be hidden.
  static func overlays(
    for crtc: CRTC, of crtcCount: Int, above primary: Plane, among planes: [Plane], taken: Set<UInt32>
  ) -> [Plane] {
    let usable = planes.filter { plane in
      plane.kind == .overlay && plane.possibleCRTCs >> crtc.index & 1 == 1 && plane.isAbove(primary)
    }
    let shared = usable.filter { $0.possibleCRTCs.nonzeroBitCount > 1 }
    let part = (shared.count + max(1, crtcCount) - 1) / max(1, crtcCount)
    let mine = usable.filter { $0.possibleCRTCs.nonzeroBitCount == 1 && !taken.contains($0.id) }
    return Array((mine + shared.filter { !taken.contains($0.id) }.prefix(part)).prefix(Overlays.capacity))
  }

  init(
    connector: Connector, crtc: CRTC, crtcCount: Int, planes: [Plane], taken: Set<UInt32>
  ) throws(KMSError) {
    guard let primary = Pipeline.plane(.primary, for: crtc, among: planes, taken: taken) else {
      throw .noPipeline(connector.description.name)
    }
    connectorID = connector.id
    connectorProperties = try ConnectorProperties(connector.properties)
    self.crtc = crtc
    crtcProperties = try CRTCProperties(crtc.properties)
    self.primary = primary
    primaryProperties = try PlaneProperties(primary.properties)
    cursor = Pipeline.plane(.cursor, for: crtc, among: planes, taken: taken)
    cursorProperties = try cursor.map { plane throws(KMSError) in try PlaneProperties(plane.properties) }
    var overlays: [(plane: Plane, properties: PlaneProperties)] = []
    for plane in Pipeline.overlays(for: crtc, of: crtcCount, above: primary, among: planes, taken: taken) {
      overlays.append((plane, try PlaneProperties(plane.properties)))
    }
    self.overlays = overlays
  }

  /// The ids of all planes of the pipeline.
  var planeIDs: [UInt32] { planes.map(\.id) }
}
