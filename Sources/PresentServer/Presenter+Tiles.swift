import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

extension Presenter {
  /// Commits the picture of all tiles; false where nothing changes.
  func commitTiles(_ picture: inout Picture, _ isFull: Bool) throws(OutputError) -> Bool {
    var hasContent = false
    for tile in tiles where tile.staged != nil || tile.latched != nil { hasContent = true }
    guard hasContent else { return try commitNothing() }
    let canvas = try preparedCanvas()
    // What was on screen last was no picture of tiles.
    if !onScreen.isTiled && isFull { canvas.invalidate(tiles: tiles) }
    var overlays = Overlays()
    for place in tiles.indices {
      let tile = tiles[place]
      let frame = tile.staged?.frame ?? tile.latched
      if let plane = tile.plane, let frame, let overlay = overlay(frame, on: tile) {
        overlays[plane] = overlay
      } else {
        prepare(tile, place, canvas)
      }
      guard let frame else { continue }
      let origin = tile.origin(of: frame)
      add(tile, frame, originX: origin.x, originY: origin.y, to: &picture)
    }
    let flips = canvas.isChanged
    if flips { for place in tiles.indices { try paintRest(place, overlays, canvas) } }
    var next = flips ? canvas.frame() : canvas.shownFrame()
    next.overlays = overlays
    do throws(OutputError) {
      try output.commit(next, fit: canvas.fit)
    } catch {
      guard case .rejected = error, !overlays.isEmpty else { throw error }
      picture.endUse()
      abandonPlanes()
      return try commitTiles(&picture, isFull)
    }
    if flips { canvas.committed() }
    composer.invalidate()
    picture.isTiled = true
    return true
  }

  /// Notes what has changed of a tile whose frames are copied.
  private func prepare(_ tile: Tile, _ place: Int, _ canvas: TileCanvas) {
    if let staged = tile.staged, tile.painted?.number != staged.frame.number {
      // It was to go on a plane that the tile has lost since.
      canvas.add(changes(staged.frame, on: tile), tile: place)
      tile.painted = staged.frame
    }
    if tile.isCursorChanged { moveCursor(tile, place, canvas) }
  }

  /// Paints what the next picture lacks of a tile, unless a plane covers it.
  private func paintRest(_ place: Int, _ overlays: Overlays, _ canvas: TileCanvas) throws(OutputError) {
    let tile = tiles[place]
    if let plane = tile.plane, overlays[plane] != nil { return }
    tile.head.countCopy(try canvas.paint(tile, at: place))
  }

  /// Copies a frame whose blits are all due. Until then nothing of it is painted: no commit shows a part of it.
  func paint(_ order: BlitOrder) {
    guard isTiled, let place = tiles.firstIndex(where: { $0.id == order.vm }) else { return }
    let tile = tiles[place]
    guard tile.plane == nil, let held = tile.held.first(where: { $0.id == order.frame }) else { return }
    let begun = now
    do throws(OutputError) {
      let canvas = try preparedCanvas()
      canvas.add(changes(held.frame, on: tile), tile: place)
      tile.painted = held.frame
      if tile.isCursorChanged { moveCursor(tile, place, canvas) }
      tile.head.countCopy(try canvas.paint(tile, at: place))
    } catch {
      // The commit meets the same and tells of it.
      tile.needsFullDamage = true
    }
    scheduler.blitsMeasured(of: tile.id, plannedNanoseconds: order.nanoseconds, actualNanoseconds: now - begun)
  }

  /// What a frame changes of its tile, in the output's pixels.
  private func changes(_ frame: Frame, on tile: Tile) -> DamageRegion {
    guard let last = tile.painted, last.source == frame.source,
      last.buffer.buffer.layout == frame.buffer.buffer.layout
    else { return DamageRegion(tile.rect) }
    let origin = tile.origin(of: frame)
    var region = DamageRegion()
    for index in 0..<frame.damage.count {
      let part = frame.damage[index].intersection(frame.source)
      region.add(
        Rect(
          x: part.x - frame.source.x + origin.x, y: part.y - frame.source.y + origin.y, width: part.width,
          height: part.height
        ).intersection(tile.rect))
    }
    return region
  }

  private func moveCursor(_ tile: Tile, _ place: Int, _ canvas: TileCanvas) {
    var region = DamageRegion(tile.paintedCursor)
    tile.paintedCursor = .empty
    if let cursor = tile.cursor, let frame = tile.painted {
      let origin = tile.origin(of: frame)
      let size = cursor.buffer.buffer.layout
      tile.paintedCursor = Rect(
        x: cursor.x + origin.x, y: cursor.y + origin.y, width: size.width, height: size.height
      ).intersection(tile.rect)
      region.add(tile.paintedCursor)
    }
    canvas.add(region, tile: place)
  }

  /// A tile's whole place is to be painted anew.
  func repaint(_ tile: Tile) {
    guard let place = tiles.firstIndex(where: { $0 === tile }) else { return }
    canvas?.add(DamageRegion(tile.rect), tile: place)
  }

  private func preparedCanvas() throws(OutputError) -> TileCanvas {
    if let canvas { return canvas }
    let made = try TileCanvas(output, mode: homeMode)
    made.invalidate(tiles: tiles)
    canvas = made
    return made
  }
}
