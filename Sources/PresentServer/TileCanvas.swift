import DaemonSettings
import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// The picture that tiles are painted into, in two buffers of the output's size, and a third one for a frame that is
/// painted ahead of its commit.
///
/// What each buffer lacks is kept per tile, so that only what has changed is painted, in parts.
final class TileCanvas {
  /// The output's picture.
  let bounds: Rect
  /// How the output shows it.
  let fit: FitMethod
  private let output: any Output
  private let workers: CopyWorkers
  private var chain: SwapChain
  /// What the buffers lack of each tile, by the tiles' places in the output's list.
  private var rings: [DamageRing] = []
  /// What the buffers lack of the black around the tiles.
  private var background: DamageRing
  /// What differs from the picture that is shown.
  private var damage = DamageRegion()
  private var ledger = CopyLedger()
  /// The frames of which a part is painted, into the back buffer and ahead.
  private var next: TileCopy?
  private var ahead: TileCopy?
  /// What the back buffer lacks of a tile without a new frame, while that is being painted.
  private var repair: Repair?
  /// What a buffer lacks of the black around the tiles, while that is being painted.
  private var black: Black?

  /// Two buffers of that mode's size.
  init(_ output: any Output, mode: DisplayMode, workers: CopyWorkers) throws(OutputError) {
    self.output = output
    self.workers = workers
    bounds = Rect(width: mode.width, height: mode.height)
    chain = try SwapChain(output, width: mode.width, height: mode.height)
    background = DamageRing(bufferCount: SwapChain.bufferCount, bounds: bounds)
    fit = output.fit(chain.front.buffer, source: bounds)
  }

  /// Tiles were added, removed or moved: everything is painted again.
  func invalidate(tiles: [Tile]) {
    (next, ahead, repair, black) = (nil, nil, nil, nil)
    background.invalidate(bounds: bounds)
    rings = tiles.map { DamageRing(bufferCount: background.bufferCount, bounds: $0.rect) }
    damage = DamageRegion(bounds)
  }

  /// A part of a tile, in the output's pixels, is to be painted again.
  func add(_ region: DamageRegion, tile: Int) {
    if rings.indices.contains(tile) { rings[tile].add(region) }
    damage.add(region)
  }

  // MARK: - Frames

  /// Whether a part of that frame is painted.
  func hasBegun(_ frame: FrameID, _ target: BlitTarget) -> Bool {
    (target == .next ? next : ahead)?.frame == frame
  }

  /// Begins to paint a frame of a tile that changes `changes`, in the output's pixels.
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

  /// Paints the frame that was begun up to a part of its pixels, in thousandths of thousandths; the bytes that were
  /// copied, and false where the deadline has passed before.
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

  /// The frame in the back buffer is painted: the other buffers lack it.
  func end() {
    guard let copy = next.take() else { return }
    rings[copy.tile].add(copy.changes, except: copy.buffer)
    damage.add(copy.changes)
  }

  /// Stops painting a frame: what is painted of it is painted over.
  func cancel(_ target: BlitTarget) {
    guard let copy = target == .next ? next.take() : ahead.take() else { return }
    guard rings.indices.contains(copy.tile) else { return }
    rings[copy.tile].add(copy.brush.region, toBuffer: copy.buffer)
    if target == .next { damage.add(copy.brush.region) }
  }

  /// Stops painting frames of a tile.
  func cancel(tile: Int) {
    if next?.tile == tile { cancel(.next) }
    if ahead?.tile == tile { cancel(.ahead) }
  }

  /// The picture that was painted ahead is the next one from now on.
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
    // Without a third buffer the frame is painted once its picture is the next one.
    guard (try? chain.addAhead(output)) != nil else { return nil }
    background.addBuffer(bounds: bounds)
    for index in rings.indices { rings[index].addBuffer(bounds: bounds) }
    return chain.aheadIndex
  }

  // MARK: - Commits

  /// Whether anything differs from the picture that is shown.
  var isChanged: Bool { !damage.isEmpty }

  /// Paints what the back buffer lacks of the black around the tiles; false where the deadline has passed before.
  func repairBackground(until deadline: PaintDeadline) -> Bool {
    paintBackground(ofBuffer: chain.backIndex, until: deadline)
  }

  /// Before tiles are painted into a buffer: the black lies below them.
  private func paintBackground(ofBuffer buffer: Int, until deadline: PaintDeadline) -> Bool {
    while true {
      if var current = black.take() {
        guard current.buffer == buffer else {
          // For another buffer, which is needed later.
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

  /// Paints what the back buffer lacks of a tile that shows no new frame; the bytes that were copied, and false where the
  /// deadline has passed before.
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
            // Of another tile, and this one comes first.
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

  /// What was not painted to its end is lacking again.
  private func putBack(_ repair: Repair) {
    guard rings.indices.contains(repair.tile) else { return }
    rings[repair.tile].add(repair.brush.region, toBuffer: chain.backIndex)
  }

  /// The picture that is shown, for a commit that changes nothing of it.
  func shownFrame() -> OutputFrame {
    OutputFrame(buffer: chain.front.buffer, source: bounds, damage: DamageRegion(), cursor: nil)
  }

  /// The next buffer with all that was painted, for a commit.
  func frame() -> OutputFrame {
    OutputFrame(buffer: chain.back.buffer, source: bounds, damage: damage, cursor: nil)
  }

  /// The buffer of `frame()` is on its way to the screen.
  func committed() {
    chain.swap()
    damage = DamageRegion()
  }
}

/// The black around the tiles that a buffer lacks, painted in parts.
private struct Black {
  let buffer: Int
  var brush: RegionBrush
}

/// Something that the next picture lacks, painted in parts.
private struct Repair {
  /// The place of its tile in the output's list.
  let tile: Int
  let painting: Painting
  var brush: RegionBrush
}

/// A frame that is painted into a buffer in parts.
private struct TileCopy {
  let frame: FrameID
  /// The place of its tile in the output's list.
  let tile: Int
  /// The index of the buffer.
  let buffer: Int
  let painting: Painting
  /// What the frame changes of the picture.
  let changes: DamageRegion
  var brush: RegionBrush
}
