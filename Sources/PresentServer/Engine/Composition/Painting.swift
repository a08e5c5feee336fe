import DaemonSettings
import GraphicsMemory
import Outputs
import Scanout

/// Draws a picture on a black background, with a cursor on top, into XRGB8888 memory.
struct Painting {
  /// A cursor in premultiplied ARGB8888; its top left corner is in the picture's pixels.
  struct Sprite {
    var picture: MappedBuffer
    var x: Int
    var y: Int
  }

  let screen: Rect
  /// The picture; nil for black.
  let picture: MappedBuffer?
  /// The picture's buffer, if what is read of it may have to be copied before.
  private let buffer: (any ScanoutBuffer)?
  /// The part of the picture that is shown.
  let source: Rect
  let cursor: Sprite?
  /// The position of the source's first pixel on the screen; negative if it is cropped.
  let originX: Int
  let originY: Int

  /// Centres the picture, or crops it evenly.
  init(
    screen: Rect, picture: MappedBuffer?, of buffer: (any ScanoutBuffer)? = nil, source: Rect, cursor: Sprite?
  ) {
    self.init(
      screen: screen, picture: picture, of: buffer, source: source, cursor: cursor,
      originX: (screen.width - source.width) / 2, originY: (screen.height - source.height) / 2)
  }

  /// Places the picture at a position on the screen.
  init(
    screen: Rect, picture: MappedBuffer?, of buffer: (any ScanoutBuffer)? = nil, source: Rect, cursor: Sprite?,
    originX: Int, originY: Int
  ) {
    self.screen = screen
    self.picture = picture
    self.buffer = buffer
    self.source = source
    self.cursor = cursor
    self.originX = originX
    self.originY = originY
  }

  /// Converts a part of the picture to the screen's pixels.
  func onScreen(_ rect: Rect) -> Rect {
    let part = rect.intersection(source)
    return Rect(
      x: part.x - source.x + originX, y: part.y - source.y + originY, width: part.width, height: part.height
    ).intersection(screen)
  }

  /// The cursor's rectangle on the screen.
  var cursorBounds: Rect {
    guard let cursor else { return .empty }
    let size = cursor.picture.layout
    return Rect(x: cursor.x + originX, y: cursor.y + originY, width: size.width, height: size.height)
      .intersection(screen)
  }

  /// Draws a region of the screen in one call. Its rectangles may overlap; each is drawn completely.
  func paint(_ region: DamageRegion, into target: MappedBuffer, _ workers: CopyWorkers?, _ ledger: inout CopyLedger) {
    beginAccess(target)
    for index in 0..<region.count {
      let part = region[index].intersection(screen)
      if !part.isEmpty { paint(part, into: target, workers, &ledger) }
    }
    endAccess(target)
  }

  /// Begins CPU access, before the parts of a region are drawn one by one.
  func beginAccess(_ target: MappedBuffer) {
    picture?.beginAccess(read: true)
    cursor?.picture.beginAccess(read: true)
    target.beginAccess()
  }

  /// Ends CPU access.
  func endAccess(_ target: MappedBuffer) {
    target.endAccess()
    cursor?.picture.endAccess(read: true)
    picture?.endAccess(read: true)
  }

  /// Draws a part of the screen, between `beginAccess` and `endAccess`.
  func paint(_ part: Rect, into target: MappedBuffer, _ workers: CopyWorkers?, _ ledger: inout CopyLedger) {
    let covered = picture == nil ? .empty : onScreen(source).intersection(part)
    if covered != part { black(part, target) }
    if let picture, !covered.isEmpty {
      let from = Rect(
        x: covered.x - originX + source.x, y: covered.y - originY + source.y, width: covered.width,
        height: covered.height)
      buffer?.refresh(from)
      ledger.convertRect(
        from, from: picture.pixels, sourceStrideBytes: picture.layout.strideBytes, format: picture.layout.format,
        to: address(covered.x, covered.y, target), destinationStrideBytes: target.layout.strideBytes,
        workers: workers)
    }
    if let cursor { blend(cursor, cursorBounds.intersection(part), target) }
  }

  private func black(_ part: Rect, _ target: MappedBuffer) {
    for row in part.y..<part.maxY {
      address(part.x, row, target).initializeMemory(
        as: UInt8.self, repeating: 0, count: part.width * PixelFormat.bytesPerPixel)
    }
  }

  /// Blends the cursor over the picture. Reads the pixels below it from the picture, never from the target.
  private func blend(_ sprite: Sprite, _ part: Rect, _ target: MappedBuffer) {
    if part.isEmpty { return }
    let bytesPerPixel = PixelFormat.bytesPerPixel
    let below = picture == nil ? .empty : onScreen(source)
    for y in part.y..<part.maxY {
      let to = address(part.x, y, target)
      let from =
        sprite.picture.pixels + (y - originY - sprite.y) * sprite.picture.layout.strideBytes
        + (part.x - originX - sprite.x) * bytesPerPixel
      for column in 0..<part.width {
        let over = from.load(fromByteOffset: column * bytesPerPixel, as: UInt32.self)
        if over >> 24 == 0 { continue }
        var under: UInt32 = 0
        if let picture, below.contains(Rect(x: part.x + column, y: y, width: 1, height: 1)) {
          let place =
            (y - originY + source.y) * picture.layout.strideBytes
            + (part.x + column - originX + source.x) * bytesPerPixel
          let (red, green, blue, _) = picture.layout.format.shifts
          let pixel = picture.pixels.load(fromByteOffset: place, as: UInt32.self)
          under = (pixel >> red & 0xff) << 16 | (pixel >> green & 0xff) << 8 | pixel >> blue & 0xff
        }
        to.storeBytes(of: Painting.blended(over, under), toByteOffset: column * bytesPerPixel, as: UInt32.self)
      }
    }
  }

  /// Blends a premultiplied pixel over an opaque one.
  static func blended(_ over: UInt32, _ under: UInt32) -> UInt32 {
    let rest = 255 - over >> 24
    var result: UInt32 = 0
    for shift: UInt32 in [0, 8, 16] {
      let below = ((under >> shift & 0xff) * rest + 127) / 255
      result |= min((over >> shift & 0xff) + below, 255) << shift
    }
    return result
  }

  private func address(_ x: Int, _ y: Int, _ target: MappedBuffer) -> UnsafeMutableRawPointer {
    target.pixels + y * target.layout.strideBytes + x * PixelFormat.bytesPerPixel
  }
}
