import Scanout

/// Finds the changes of a picture since the last call by a hash per tile: each pixel is read once, and no second copy
/// is kept.
struct TileHashes {
  /// The width and height of a tile in pixels.
  static let edge = 64

  private var hashes: [UInt64] = []
  private var columns = 0
  private var rows = 0
  private var seed: UInt64 = 1

  /// Discards all hashes: the next call reports everything as changed.
  mutating func reset(width: Int, height: Int) {
    columns = (width + TileHashes.edge - 1) / TileHashes.edge
    rows = (height + TileHashes.edge - 1) / TileHashes.edge
    hashes = Array(repeating: 0, count: columns * rows)
    seed &+= 2
  }

  /// Calls `changed` for every run of changed tiles in a row of tiles.
  ///
  /// - Parameter pixels: `strideBytes * height` bytes.
  mutating func look(
    _ pixels: UnsafeRawPointer, width: Int, height: Int, strideBytes: Int, changed: (Rect) -> Void
  ) {
    for row in 0..<rows {
      let top = row * TileHashes.edge
      let tall = min(TileHashes.edge, height - top)
      var run: Rect?
      for column in 0..<columns {
        let left = column * TileHashes.edge
        let wide = min(TileHashes.edge, width - left)
        // SAFETY: the tile is inside the picture.
        let hash = unsafe TileHashes.hash(
          pixels + top * strideBytes + left * 4, rowBytes: wide * 4, rows: tall, strideBytes: strideBytes, seed: seed)
        let index = row * columns + column
        if hashes[index] != hash {
          hashes[index] = hash
          run = Rect(x: run?.x ?? left, y: top, width: left + wide - (run?.x ?? left), height: tall)
        } else if let ended = run.take() {
          changed(ended)
        }
      }
      if let run { changed(run) }
    }
  }

  private static func hash(
    _ first: UnsafeRawPointer, rowBytes: Int, rows: Int, strideBytes: Int, seed: UInt64
  ) -> UInt64 {
    var a = seed
    var b = seed ^ 0x9E37_79B9_7F4A_7C15
    for row in 0..<rows {
      let line = unsafe first + row * strideBytes
      var offset = 0
      while offset + 16 <= rowBytes {
        a = (a ^ (unsafe line.loadUnaligned(fromByteOffset: offset, as: UInt64.self))) &* 0xFF51_AFD7_ED55_8CCD
        b = (b ^ (unsafe line.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))) &* 0xC4CE_B9FE_1A85_EC53
        a ^= a >> 32
        b ^= b >> 29
        offset += 16
      }
      while offset < rowBytes {
        a = (a ^ UInt64(unsafe line.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) &* 0xFF51_AFD7_ED55_8CCD
        a ^= a >> 32
        offset += 4
      }
    }
    let mixed = (a ^ (b << 31 | b >> 33)) &* 0x9FB2_1C65_1E98_DF25
    return mixed == 0 ? 1 : mixed
  }
}
