import VhostUserFrontend

extension BenchGuest {
  /// Draws a unique picture into the buffer that the next whole frame shows: a gradient, with the frame's number in its
  /// first pixels.
  ///
  /// The gradient is drawn only in each buffer's first frame, because the guest's drawing is not measured.
  func draw(_ frame: UInt32) {
    let picture = shown % 2
    if !isDrawn[picture] {
      isDrawn[picture] = true
      var offset = 0
      unsafe forEachPiece(of: picture) { bytes in
        for index in stride(from: 0, to: bytes.count, by: 4) {
          let pixel = UInt32(truncatingIfNeeded: (offset + index) / 4) &* 0x9E37_79B1 ^ UInt32(picture)
          unsafe bytes.storeBytes(of: pixel.littleEndian, toByteOffset: index, as: UInt32.self)
        }
        offset += bytes.count
      }
    }
    var isFirst = true
    unsafe forEachPiece(of: picture) { bytes in
      guard isFirst else { return }
      isFirst = false
      for index in stride(from: 0, to: min(bytes.count, 64), by: 4) {
        let pixel = (frame &+ UInt32(index)) &* 0x85EB_CA77
        unsafe bytes.storeBytes(of: pixel.littleEndian, toByteOffset: index, as: UInt32.self)
      }
    }
  }

  /// The last presented picture.
  func checksumOfShown() -> PictureChecksum {
    var checksum = PictureChecksum()
    unsafe forEachPiece(of: (shown + 1) % 2) { bytes in unsafe checksum.add(UnsafeRawBufferPointer(bytes)) }
    return checksum
  }

  /// A picture's bytes in the picture's order, wherever they are in guest memory; whole pixels.
  private func forEachPiece(of picture: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
    var rest = width * height * 4
    for piece in pieces[picture] where rest > 0 {
      let start = Int(piece.address)
      let count = min(piece.byteCount, rest)
      unsafe body(UnsafeMutableRawBufferPointer(rebasing: ram.bytes[start..<(start + count)]))
      rest -= count
    }
  }
}
