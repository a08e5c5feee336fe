import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// The picture that tiles are painted into: two buffers of the output's size that take turns.
///
/// Each remembers what it lacks of each tile, so that only what has changed is painted. At most one commit is under way,
/// and nothing is painted while it is: the buffer that is not shown is free.
final class TileCanvas {
  private struct Canvas {
    let buffer: any ScanoutBuffer
    let mapped: MappedBuffer
    /// By the tiles' places in the output's list.
    var stale: [DamageRegion] = []
    var needsBackground = true
  }

  /// The output's picture.
  let bounds: Rect
  /// How the output shows it.
  let fit: FitMethod
  private var canvases: [Canvas] = []
  private var shown = 0
  private var damage = DamageRegion()
  private var ledger = CopyLedger()

  /// Two buffers of that mode's size.
  init(_ output: any Output, mode: DisplayMode) throws(OutputError) {
    bounds = Rect(width: mode.width, height: mode.height)
    for _ in 0..<2 {
      let buffer = try output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      let fd = try buffer.descriptor()
      do throws(SystemError) {
        let mapped = try MappedBuffer(
          fd: SharedFD(fd), kind: buffer.memoryKind, layout: buffer.layout, byteCount: buffer.byteCount)
        canvases.append(Canvas(buffer: buffer, mapped: mapped))
      } catch {
        throw .system(error)
      }
    }
    fit = output.fit(canvases[0].buffer, source: bounds)
  }

  /// The tiles are others, or elsewhere: everything is painted anew.
  func invalidate(tiles: [Tile]) {
    for index in canvases.indices {
      canvases[index].needsBackground = true
      canvases[index].stale = tiles.map { DamageRegion($0.rect) }
    }
    damage = DamageRegion(bounds)
  }

  /// A part of a tile, in the output's pixels, is to be painted anew.
  func add(_ region: DamageRegion, tile: Int) {
    for index in canvases.indices where canvases[index].stale.indices.contains(tile) {
      canvases[index].stale[tile].add(region)
    }
    damage.add(region)
  }

  /// Paints what the next buffer lacks of a tile; how many bytes were copied.
  func paint(_ tile: Tile, at place: Int) throws(OutputError) -> UInt64 {
    let index = shown ^ 1
    guard canvases[index].stale.indices.contains(place), !canvases[index].stale[place].isEmpty else { return 0 }
    paintBackground(index)
    let region = canvases[index].stale[place].clipped(to: tile.rect)
    canvases[index].stale[place] = DamageRegion()
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
    painting.paint(region, into: canvases[index].mapped, &ledger)
    return ledger.copiedBytes - before
  }

  /// Whether anything differs from the picture that is shown.
  var isChanged: Bool { !damage.isEmpty }

  /// The picture that is shown, for a commit that changes nothing of it.
  func shownFrame() -> OutputFrame {
    OutputFrame(buffer: canvases[shown].buffer, source: bounds, damage: DamageRegion(), cursor: nil)
  }

  /// The next buffer with all that was painted, for a commit.
  func frame() -> OutputFrame {
    let index = shown ^ 1
    paintBackground(index)
    return OutputFrame(buffer: canvases[index].buffer, source: bounds, damage: damage, cursor: nil)
  }

  /// The buffer of `frame()` is on its way to the screen.
  func committed() {
    shown ^= 1
    damage = DamageRegion()
  }

  private func paintBackground(_ index: Int) {
    guard canvases[index].needsBackground else { return }
    canvases[index].needsBackground = false
    let black = Painting(screen: bounds, picture: nil, source: .empty, cursor: nil)
    black.paint(DamageRegion(bounds), into: canvases[index].mapped, &ledger)
  }
}
