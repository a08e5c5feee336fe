import GraphicsMemory
import LinuxIO
import Outputs
import Scanout

/// Draws frames that an output cannot show as they are into buffers of its mode: black around, the picture centred or
/// cropped, the cursor on top.
///
/// Two buffers take turns, because at most one commit is under way. Each remembers what it lacks, so that only that
/// is drawn.
final class Composer {
  struct Result {
    let buffer: any ScanoutBuffer
    let damage: DamageRegion
    let originX: Int
    let originY: Int
    let copiedBytes: UInt64
    fileprivate let index: Int
  }

  private struct Canvas {
    let buffer: any ScanoutBuffer
    let mapped: MappedBuffer
    var stale: DamageRegion
  }

  private struct Geometry: Equatable {
    var source: Rect
    var layout: FrameLayout
  }

  private let output: any Output
  private var canvases: [Canvas] = []
  private var mode: DisplayMode?
  private var geometry: Geometry?
  private var lastCursor = Rect.empty
  private var shown = 0
  private var ledger = CopyLedger()

  init(_ output: any Output) { self.output = output }

  /// Something else has been on screen: the next picture is drawn whole.
  func invalidate() { geometry = nil }

  /// The result is on its way to the screen.
  func committed(_ result: Result) { shown = result.index }

  /// Draws a frame.
  func compose(_ frame: Presenter.Frame, cursor: Presenter.Cursor?) throws(OutputError) -> Result {
    try prepare(output.info.mode)
    let screen = canvases[0].mapped.layout.bounds
    let source = try frame.buffer.buffer.mapped()
    let painting = Painting(
      screen: screen, picture: source, source: frame.source,
      cursor: try cursor.map { (cursor) throws(OutputError) in
        Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
      })
    let damage = changes(frame, painting, screen)
    for index in canvases.indices { canvases[index].stale.add(damage) }
    let index = shown ^ 1
    let before = ledger.copiedBytes
    painting.paint(canvases[index].stale, into: canvases[index].mapped, &ledger)
    canvases[index].stale = DamageRegion()
    return Result(
      buffer: canvases[index].buffer, damage: damage, originX: painting.originX, originY: painting.originY,
      copiedBytes: ledger.copiedBytes - before, index: index)
  }

  /// What differs from the last picture that was composed.
  private func changes(_ frame: Presenter.Frame, _ painting: Painting, _ screen: Rect) -> DamageRegion {
    let now = Geometry(source: frame.source, layout: frame.buffer.buffer.layout)
    let cursorNow = painting.cursorBounds
    defer {
      geometry = now
      lastCursor = cursorNow
    }
    if geometry != now { return DamageRegion(screen) }
    var damage = DamageRegion()
    for index in 0..<frame.damage.count { damage.add(painting.onScreen(frame.damage[index])) }
    damage.add(lastCursor)
    damage.add(cursorNow)
    return damage
  }

  private func prepare(_ wanted: DisplayMode) throws(OutputError) {
    if let mode, mode.width == wanted.width, mode.height == wanted.height, canvases.count == 2 { return }
    canvases = []
    for _ in 0..<2 {
      let buffer = try output.makeBuffer(width: wanted.width, height: wanted.height, format: .xrgb8888)
      let fd = try buffer.descriptor()
      // `mapped` promises reading only: the canvas has a mapping of its own.
      let mapped: MappedBuffer
      do throws(SystemError) {
        mapped = try MappedBuffer(
          fd: SharedFD(fd), kind: buffer.memoryKind, layout: buffer.layout, byteCount: buffer.byteCount)
      } catch {
        throw .system(error)
      }
      canvases.append(Canvas(buffer: buffer, mapped: mapped, stale: DamageRegion(mapped.layout.bounds)))
    }
    mode = wanted
    geometry = nil
    shown = 0
  }
}
