import GraphicsMemory
import Outputs
import Scanout

/// The picture that tiles are painted into, in two buffers of the output's size.
///
/// What each buffer lacks is kept per tile, so that only what has changed is painted.
final class TileCanvas {
  /// The output's picture.
  let bounds: Rect
  /// How the output shows it.
  let fit: FitMethod
  private var chain: SwapChain
  /// What the buffers lack of each tile, by the tiles' places in the output's list.
  private var rings: [DamageRing] = []
  /// What the buffers lack of the black around the tiles.
  private var background: DamageRing
  /// What differs from the picture that is shown.
  private var damage = DamageRegion()
  private var ledger = CopyLedger()

  /// Two buffers of that mode's size.
  init(_ output: any Output, mode: DisplayMode) throws(OutputError) {
    bounds = Rect(width: mode.width, height: mode.height)
    chain = try SwapChain(output, width: mode.width, height: mode.height)
    background = DamageRing(bufferCount: SwapChain.bufferCount, bounds: bounds)
    fit = output.fit(chain.front.buffer, source: bounds)
  }

  /// Tiles were added, removed or moved: everything is painted again.
  func invalidate(tiles: [Tile]) {
    background.invalidate(bounds: bounds)
    rings = tiles.map { DamageRing(bufferCount: SwapChain.bufferCount, bounds: $0.rect) }
    damage = DamageRegion(bounds)
  }

  /// A part of a tile, in the output's pixels, is to be painted again.
  func add(_ region: DamageRegion, tile: Int) {
    if rings.indices.contains(tile) { rings[tile].add(region) }
    damage.add(region)
  }

  /// Paints what the next buffer lacks of a tile; how many bytes were copied.
  func paint(_ tile: Tile, at place: Int) throws(OutputError) -> UInt64 {
    guard rings.indices.contains(place), !rings[place].damage(ofBuffer: chain.backIndex).isEmpty else { return 0 }
    paintBackground()
    let frame = tile.painted
    let origin = frame.map { tile.origin(of: $0) } ?? (tile.rect.x, tile.rect.y)
    let picture = try frame.map { (frame) throws(OutputError) in try frame.buffer.buffer.mapped() }
    let cursor = try (frame == nil ? nil : tile.cursor).map { (cursor) throws(OutputError) in
      Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
    }
    let painting = Painting(
      screen: tile.rect, picture: picture, source: frame?.source ?? .empty, cursor: cursor, originX: origin.0,
      originY: origin.1)
    let before = ledger.copiedBytes
    let region = rings[place].takeDamage(ofBuffer: chain.backIndex).clipped(to: tile.rect)
    painting.paint(region, into: chain.back.mapped, &ledger)
    return ledger.copiedBytes - before
  }

  /// Whether anything differs from the picture that is shown.
  var isChanged: Bool { !damage.isEmpty }

  /// The picture that is shown, for a commit that changes nothing of it.
  func shownFrame() -> OutputFrame {
    OutputFrame(buffer: chain.front.buffer, source: bounds, damage: DamageRegion(), cursor: nil)
  }

  /// The next buffer with all that was painted, for a commit.
  func frame() -> OutputFrame {
    paintBackground()
    return OutputFrame(buffer: chain.back.buffer, source: bounds, damage: damage, cursor: nil)
  }

  /// The buffer of `frame()` is on its way to the screen.
  func committed() {
    chain.swap()
    damage = DamageRegion()
  }

  private func paintBackground() {
    let region = background.takeDamage(ofBuffer: chain.backIndex)
    if region.isEmpty { return }
    let black = Painting(screen: bounds, picture: nil, source: .empty, cursor: nil)
    black.paint(region, into: chain.back.mapped, &ledger)
  }
}
