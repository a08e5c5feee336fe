import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

extension Presenter {
  /// Commits the picture of all tiles; false where nothing changes.
  func commitTiles(_ picture: inout Picture, _ isFull: Bool) throws(OutputError) -> Bool {
    var hasContent = !onScreen.entries.isEmpty
    for tile in tiles where tile.staged != nil || tile.latched != nil { hasContent = true }
    guard hasContent else { return false }
    let canvas = try preparedCanvas()
    // What was on screen last was no picture of tiles.
    if !onScreen.isTiled && isFull { canvas.invalidate(tiles: tiles) }
    for place in tiles.indices {
      let tile = tiles[place]
      if tile.isCursorChanged { moveCursor(tile, place, canvas) }
      tile.head.countCopy(try canvas.paint(tile, at: place))
      guard let frame = tile.staged?.frame ?? tile.latched else { continue }
      let origin = tile.origin(of: frame)
      add(tile, frame, originX: origin.x, originY: origin.y, to: &picture)
    }
    try output.commit(canvas.frame(), fit: canvas.fit)
    canvas.committed()
    composer.invalidate()
    picture.isTiled = true
    return true
  }

  /// Copies a frame whose blits are all due. Until then nothing of it is painted: no commit shows a part of it.
  func paint(_ order: BlitOrder) {
    guard isTiled, let place = tiles.firstIndex(where: { $0.id == order.vm }) else { return }
    let tile = tiles[place]
    guard let held = tile.held.first(where: { $0.id == order.frame }) else { return }
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
