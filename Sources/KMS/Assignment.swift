import Outputs

/// Which CRTC drives which connector.
enum Assignment {
  /// What must be known of a connector to find a CRTC for it.
  struct Wish: Equatable {
    /// The connector.
    var connector: UInt32
    /// Bit n: the n-th CRTC can drive it.
    var possibleCRTCs: UInt32
    /// The CRTC that drives it already; 0 for none.
    var currentCRTC: UInt32
  }

  /// CRTC ids by connector id, for as many connectors as possible.
  ///
  /// A connector keeps the CRTC that drives it where that hinders no other (a maximum matching by augmenting paths).
  /// - Parameters:
  ///   - wishes: the connectors, most important first.
  ///   - crtcs: the ids of all CRTCs in the card's order; nil for one that is taken.
  static func match(_ wishes: [Wish], crtcs: [UInt32?]) -> [UInt32: UInt32] {
    // wish index by CRTC index
    var owners = [Int?](repeating: nil, count: crtcs.count)
    for (index, wish) in wishes.enumerated() {
      guard let current = crtcs.firstIndex(of: wish.currentCRTC), owners[current] == nil, can(wish, current) else {
        continue
      }
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

/// The hardware of one output: a connector, the CRTC that drives it, and its planes.
struct Pipeline {
  let connectorID: UInt32
  let connectorProperties: ConnectorProperties
  let crtc: CRTC
  let crtcProperties: CRTCProperties
  let primary: Plane
  let primaryProperties: PlaneProperties
  let cursor: Plane?
  let cursorProperties: PlaneProperties?
  /// Planes over the primary one, the lowest first.
  let overlays: [(plane: Plane, properties: PlaneProperties)]

  /// The plane of that kind that fits the CRTC best: the one it uses already, else the one with the fewest other uses.
  static func plane(_ kind: Plane.Kind, for crtc: CRTC, among planes: [Plane], taken: Set<UInt32>) -> Plane? {
    planes
      .filter { $0.kind == kind && !taken.contains($0.id) && $0.possibleCRTCs >> crtc.index & 1 == 1 }
      .min {
        let first = ($0.currentCRTC == crtc.id ? 0 : 1, $0.possibleCRTCs.nonzeroBitCount)
        let second = ($1.currentCRTC == crtc.id ? 0 : 1, $1.possibleCRTCs.nonzeroBitCount)
        return first < second
      }
  }

  /// Overlay planes for a CRTC: its own, and its part of those that CRTCs share.
  ///
  /// A plane that is stacked below the primary one, or may be, would show nothing.
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

  /// The ids of its planes.
  var planeIDs: [UInt32] { planes.map(\.id) }
}
