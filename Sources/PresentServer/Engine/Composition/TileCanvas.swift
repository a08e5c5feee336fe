import DaemonSettings
import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// The picture that tiles are painted into: two buffers of the output's size, and a third one for a frame that is
/// painted ahead of its commit.
///
/// A damage ring per tile records the damage that each buffer has missed, so that only damage is painted, in parts.
final class TileCanvas {
  /// The bounds of the picture.
  let bounds: Rect
  /// How the output scans out the buffers.
  let fit: FitMethod
  private let output: any Output
  private let workers: CopyWorkers
  private var chain: SwapChain
  /// The damage ring of each tile, by the tile's index in the output's list.
  private var rings: [DamageRing] = []
  /// The damage ring of the black background around the tiles.
  private var background: DamageRing
  /// The damage relative to the picture on screen.
  private var damage = DamageRegion()
  private var ledger = CopyLedger()
  /// The partly painted frames: in the back buffer, and ahead of its commit.
  private var next: TileCopy?
  private var ahead: TileCopy?
  /// The unfinished repair of a tile without a new frame in the back buffer.
  private var repair: Repair?
  /// The unfinished painting of the background.
  private var black: Black?

  /// Creates a canvas with two buffers of the mode's size.
  init(_ output: any Output, mode: DisplayMode, workers: CopyWorkers) throws(OutputError) {
    self.output = output
    self.workers = workers
    bounds = Rect(width: mode.width, height: mode.height)
    chain = try SwapChain(output, width: mode.width, height: mode.height)
    background = DamageRing(bufferCount: SwapChain.bufferCount, bounds: bounds)
    fit = output.fit(chain.front.buffer, source: bounds)
  }

  /// Repaints everything after tiles were added, removed or moved.
  func invalidate(tiles: [SurfaceView]) {
    (next, ahead, repair, black) = (nil, nil, nil, nil)
    background.invalidate(bounds: bounds)
    rings = tiles.map { DamageRing(bufferCount: background.bufferCount, bounds: $0.rect) }
    damage = DamageRegion(bounds)
  }

  /// Adds damage of a tile, in the output's pixels.
  func add(_ region: DamageRegion, tile: Int) {
    if rings.indices.contains(tile) { rings[tile].add(region) }
    damage.add(region)
  }

  // MARK: - Frames

  /// Whether painting of a frame has begun.
  func hasBegun(_ frame: FrameID, _ target: BlitTarget) -> Bool {
    (target == .next ? next : ahead)?.frame == frame
  }

  /// Begins to paint a tile's frame with the damage `changes`, in the output's pixels.
  func begin(_ frame: FrameID, _ painting: Painting, _ changes: DamageRegion, tile: Int, _ target: BlitTarget) {
    guard rings.indices.contains(tile), let buffer = bufferIndex(target) else { return }
    cancel(target)
    var region = rings[tile].takeDamage(ofBuffer: buffer)
    region.add(changes)
    let copy = TileCopy(
      frame: frame, tile: tile, buffer: buffer, painting: painting, changes: changes,
      brush: RegionBrush(region, bounds: painting.screen))
    if target == .next { next = copy } else { ahead = copy }
  }

  /// Continues painting the current frame up to a part of its pixels, in millionths.
  ///
  /// - Returns: the bytes copied, and false if the deadline has passed before.
  func paint(
    _ target: BlitTarget, upToMillionths millionths: Int, until deadline: PaintDeadline
  ) -> (copiedBytes: UInt64, isDone: Bool) {
    guard let buffer = (target == .next ? next : ahead)?.buffer else { return (0, true) }
    guard paintBackground(ofBuffer: buffer, until: deadline) else { return (0, false) }
    guard var copy = (target == .next ? next.take() : ahead.take()) else { return (0, true) }
    let before = ledger.copiedBytes
    let limit = millionths >= 1_000_000 ? copy.brush.pixelCount : copy.brush.pixelCount * millionths / 1_000_000
    let isDone = copy.brush.draw(
      copy.painting, into: chain[copy.buffer].mapped, upTo: limit, until: deadline, workers, &ledger)
    if target == .next { next = copy } else { ahead = copy }
    return (ledger.copiedBytes - before, isDone)
  }

  /// Finishes the frame in the back buffer and adds its damage for the other buffers.
  func end() {
    guard let copy = next.take() else { return }
    rings[copy.tile].add(copy.changes, except: copy.buffer)
    damage.add(copy.changes)
  }

  /// Stops painting a frame. Its region becomes damage of the buffer again.
  func cancel(_ target: BlitTarget) {
    guard let copy = target == .next ? next.take() : ahead.take() else { return }
    guard rings.indices.contains(copy.tile) else { return }
    rings[copy.tile].add(copy.brush.region, toBuffer: copy.buffer)
    if target == .next { damage.add(copy.brush.region) }
  }

  /// Stops painting the frames of a tile.
  func cancel(tile: Int) {
    if next?.tile == tile { cancel(.next) }
    if ahead?.tile == tile { cancel(.ahead) }
  }

  /// Makes the picture that was painted ahead the next one.
  func promoteAhead() {
    cancel(.next)
    if let lacking = repair.take() { putBack(lacking) }
    guard chain.aheadIndex != nil else { return }
    chain.promoteAhead()
    next = ahead.take()
  }

  private func bufferIndex(_ target: BlitTarget) -> Int? {
    if target == .next { return chain.backIndex }
    if let index = chain.aheadIndex { return index }
    // Without a third buffer the frame is painted later, into the back buffer.
    guard (try? chain.addAhead(output)) != nil else { return nil }
    background.addBuffer(bounds: bounds)
    for index in rings.indices { rings[index].addBuffer(bounds: bounds) }
    return chain.aheadIndex
  }

  // MARK: - Commits

  /// Whether the picture has changed since the last commit.
  var isChanged: Bool { !damage.isEmpty }

  /// Paints the background's missed damage in the back buffer; false if the deadline has passed before.
  func repairBackground(until deadline: PaintDeadline) -> Bool {
    paintBackground(ofBuffer: chain.backIndex, until: deadline)
  }

  /// Paints the background, which must come before the tiles because it lies below them.
  private func paintBackground(ofBuffer buffer: Int, until deadline: PaintDeadline) -> Bool {
    while true {
      if var current = black.take() {
        guard current.buffer == buffer else {
          // This was for another buffer, which is needed later.
          background.add(current.brush.region, toBuffer: current.buffer)
          continue
        }
        let painting = Painting(screen: bounds, picture: nil, source: .empty, cursor: nil)
        let isDone = current.brush.draw(
          painting, into: chain[buffer].mapped, upTo: .max, until: deadline, nil, &ledger)
        if !isDone {
          black = current
          return false
        }
      }
      let region = background.takeDamage(ofBuffer: buffer)
      if region.isEmpty { return true }
      black = Black(buffer: buffer, brush: RegionBrush(region, bounds: bounds))
    }
  }

  /// Paints the missed damage of a tile without a new frame in the back buffer.
  ///
  /// - Returns: the bytes copied, and false if the deadline has passed before.
  func repair(
    tile: Int, _ rect: Rect, until deadline: PaintDeadline, _ painting: () throws(OutputError) -> Painting
  ) throws(OutputError) -> (copiedBytes: UInt64, isDone: Bool) {
    guard rings.indices.contains(tile) else { return (0, true) }
    if next?.tile == tile { cancel(.next) }
    let before = ledger.copiedBytes
    while true {
      if var current = repair.take() {
        if current.tile != tile {
          guard rings[tile].damage(ofBuffer: chain.backIndex).isEmpty else {
            // It belongs to another tile; this tile comes first.
            putBack(current)
            continue
          }
          repair = current
          return (0, true)
        }
        guard draw(&current, until: deadline) else { return (ledger.copiedBytes - before, false) }
      }
      if rings[tile].damage(ofBuffer: chain.backIndex).isEmpty { return (ledger.copiedBytes - before, true) }
      let made = try painting()
      let region = rings[tile].takeDamage(ofBuffer: chain.backIndex)
      repair = Repair(tile: tile, painting: made, brush: RegionBrush(region, bounds: rect))
    }
  }

  private func draw(_ current: inout Repair, until deadline: PaintDeadline) -> Bool {
    let isDone = current.brush.draw(
      current.painting, into: chain.back.mapped, upTo: .max, until: deadline, workers, &ledger)
    if !isDone { repair = current }
    return isDone
  }

  /// Adds the unpainted rest of a repair to the buffer's damage again.
  private func putBack(_ repair: Repair) {
    guard rings.indices.contains(repair.tile) else { return }
    rings[repair.tile].add(repair.brush.region, toBuffer: chain.backIndex)
  }

  /// The picture on screen, for a commit that does not change it.
  func shownFrame() -> OutputFrame {
    OutputFrame(buffer: chain.front.buffer, source: bounds, damage: DamageRegion(), cursor: nil)
  }

  /// The back buffer with its damage, for a commit.
  func frame() -> OutputFrame {
    OutputFrame(buffer: chain.back.buffer, source: bounds, damage: damage, cursor: nil)
  }

  /// Swaps the buffers after a commit of `frame()`.
  func committed() {
    chain.swap()
    damage = DamageRegion()
  }
}

/// Missed damage of the background in a buffer, painted in parts.
private struct Black {
  let buffer: Int
  var brush: RegionBrush
}

/// Missed damage of a tile in the back buffer, painted in parts.
private struct Repair {
  /// The tile's index in the output's list.
  let tile: Int
  let painting: Painting
  var brush: RegionBrush
}

/// A frame that is painted into a buffer in parts.
private struct TileCopy {
  let frame: FrameID
  /// The tile's index in the output's list.
  let tile: Int
  /// The buffer's index in the swap chain.
  let buffer: Int
  let painting: Painting
  /// The frame's damage, in the output's pixels.
  let changes: DamageRegion
  var brush: RegionBrush
}
