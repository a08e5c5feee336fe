import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Who of the tiles' VMs has an overlay plane of its own.
struct PlaneDistribution {
  var auction = PlaneAuction()
  /// Tiles have come, gone or moved, or one has left its plane.
  var isChanged = true
  /// A test was made, and the next vblank may bring another.
  var isPending = false
  /// The vblank of the last auction that counted what came since the one before.
  var lastSequence: UInt64 = 0
  /// Flips of tiles up to now, and at that auction: what is idle for a while says nothing of who is worth a plane.
  var flipCount: Int64 = 0
  var lastFlipCount: Int64 = 0
  var bids: [PlaneBid] = []
}

extension Presenter {
  private var hasPlanes: Bool { isTiled && output.overlayCount > 0 }

  /// Notes a frame for the next auction. One of another kind than its plane was tested with goes back to copies.
  func noteForPlanes(_ frame: Frame, on tile: Tile) {
    guard hasPlanes else { return }
    tile.announcedCount += 1
    tile.announcedBytes += byteCount(of: frame, on: tile)
    guard tile.plane != nil else { return }
    if bid(of: frame, on: tile) == nil || signature(of: frame, on: tile) != tile.planeSignature { leavePlane(tile) }
  }

  /// After a flip: holds an auction if it is time, and asks the hardware about at most one change.
  func auctionPlanes(sequence: UInt64) {
    guard hasPlanes, let canvas else { return }
    planes.flipCount += 1
    let isDue = planes.flipCount - planes.lastFlipCount >= PlaneAuction.intervalVblanks
    guard planes.isChanged || planes.isPending || isDue else { return }
    planes.bids.removeAll(keepingCapacity: true)
    for tile in tiles {
      guard let frame = tile.latched, let bid = bid(of: frame, on: tile) else { continue }
      planes.bids.append(bid)
    }
    let usable = UInt64.max >> UInt64(64 - min(Overlays.capacity, output.overlayCount))
    let candidate = planes.auction.propose(
      planes.bids, planes: usable, vblank: planes.flipCount, layoutChanged: planes.isChanged, at: now)
    planes.isChanged = false
    planes.isPending = candidate != nil
    if let candidate {
      planes.auction.tested(passes: isAccepted(candidate, canvas), at: now)
    } else if isDue {
      planes.lastSequence = sequence
      planes.lastFlipCount = planes.flipCount
      for tile in tiles { (tile.announcedCount, tile.grantedCount, tile.announcedBytes) = (0, 0, 0) }
    }
    for tile in tiles { takePlane(tile) }
  }

  /// What a tile offers for a plane; nil where none could show its frame: it must cover its tile, and have no cursor,
  /// which would lie below.
  private func bid(of frame: Frame, on tile: Tile) -> PlaneBid? {
    guard tile.cursor == nil, frame.source.width >= tile.rect.width, frame.source.height >= tile.rect.height,
      !tile.rect.isEmpty, let buffer = frame.buffer.planeBuffer
    else { return nil }
    let mask = output.overlayPlanes(for: buffer)
    if mask == 0 { return nil }
    let vblanks = max(1, Int64(clamping: lastSequence &- planes.lastSequence))
    let refresh = Int64(homeMode.refreshMillihertz)
    return PlaneBid(
      vm: tile.id, byteCount: tile.announcedBytes / max(1, tile.announcedCount),
      announcedMillihertz: tile.announcedCount * refresh / vblanks,
      grantedMillihertz: tile.grantedCount * refresh / vblanks, weight: tile.head.settings.weight, planes: mask,
      signature: signature(of: frame, on: tile))
  }

  /// All that a TEST_ONLY commit's answer depends on.
  private func signature(of frame: Frame, on tile: Tile) -> UInt64 {
    let layout = frame.buffer.buffer.layout
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func mix(_ value: Int) { hash = (hash ^ UInt64(truncatingIfNeeded: value)) &* 0x0100_0000_01b3 }
    for value in [frame.source.x, frame.source.y, frame.source.width, frame.source.height] { mix(value) }
    for value in [layout.width, layout.height, layout.strideBytes, layout.offset] { mix(value) }
    for value in [tile.rect.x, tile.rect.y, tile.rect.width, tile.rect.height] { mix(value) }
    mix(Int(layout.format.fourcc))
    mix(frame.buffer.isImported ? 1 : 0)
    return hash
  }

  private func isAccepted(_ candidate: PlaneAuction.Assignment, _ canvas: TileCanvas) -> Bool {
    var overlays = Overlays()
    for tile in tiles {
      let plane = tile.id == candidate.vm ? candidate.plane : tile.plane
      guard let plane, plane != candidate.plane || tile.id == candidate.vm, let frame = tile.latched else { continue }
      overlays[plane] = overlay(frame, on: tile)
    }
    var frame = canvas.shownFrame()
    frame.overlays = overlays
    return output.accepts(frame)
  }

  /// A frame on a plane, cut at its tile's edges.
  func overlay(_ frame: Frame, on tile: Tile) -> OverlayFrame? {
    guard let buffer = frame.buffer.planeBuffer else { return nil }
    let origin = tile.origin(of: frame)
    let source = Rect(
      x: frame.source.x + tile.rect.x - origin.x, y: frame.source.y + tile.rect.y - origin.y, width: tile.rect.width,
      height: tile.rect.height)
    guard frame.source.contains(source) else { return nil }
    return OverlayFrame(buffer: buffer, source: source, x: tile.rect.x, y: tile.rect.y)
  }

  /// Gives a tile what the auction has given it.
  private func takePlane(_ tile: Tile) {
    let plane = planes.auction.plane(of: tile.id)
    if plane == tile.plane { return }
    guard let plane else { return leavePlane(tile) }
    tile.plane = plane
    tile.painted = nil
    if let frame = tile.latched { tile.planeSignature = signature(of: frame, on: tile) }
    scheduler.setPath(.plane, of: tile.id, at: now)
    // The primary plane's picture of it is not shown any more; its own is, from the next commit on.
    scheduler.invalidate(repeatingFrames: false, at: now)
  }

  /// A tile's frames are copied again, from the one that is shown on.
  func leavePlane(_ tile: Tile) {
    guard tile.plane != nil else { return }
    tile.plane = nil
    tile.painted = tile.latched
    planes.isChanged = true
    scheduler.setPath(.blit, of: tile.id, at: now)
    repaint(tile)
    scheduler.invalidate(repeatingFrames: false, at: now)
  }

  /// The output refused what it had accepted in the test: all tiles are copied, this very time.
  func abandonPlanes() {
    for tile in tiles where tile.plane != nil {
      planes.auction.commitFailed(tile.id, at: now)
      leavePlane(tile)
    }
  }
}
