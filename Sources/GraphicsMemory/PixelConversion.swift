public import Scanout

extension CopyLedger {
  /// Copies a rectangle into an XRGB8888 picture, converting its pixels where they are laid out otherwise, and counts
  /// the bytes written.
  ///
  /// The unused byte of the result is undefined. The caller has checked that both places lie in their pictures.
  /// - Parameters:
  ///   - rect: the size, and the place in the source.
  ///   - format: the source's pixels.
  ///   - destination: where the rectangle's first pixel goes.
  public mutating func convertRect(
    _ rect: Rect, from source: UnsafeRawPointer, sourceStrideBytes: Int, format: PixelFormat,
    to destination: UnsafeMutableRawPointer, destinationStrideBytes: Int
  ) {
    if rect.isEmpty { return }
    let bytesPerPixel = PixelFormat.bytesPerPixel
    let first = unsafe source + rect.y * sourceStrideBytes + rect.x * bytesPerPixel
    if format.opaque == .xrgb8888 {
      unsafe copyRect(
        Rect(width: rect.width, height: rect.height), from: first, sourceStrideBytes: sourceStrideBytes,
        to: destination, destinationStrideBytes: destinationStrideBytes)
      return
    }
    let (red, green, blue, _) = format.shifts
    for row in 0..<rect.height {
      let from = unsafe first + row * sourceStrideBytes
      let to = unsafe destination + row * destinationStrideBytes
      for column in 0..<rect.width {
        let pixel = unsafe from.load(fromByteOffset: column * bytesPerPixel, as: UInt32.self)
        let converted = (pixel >> red & 0xff) << 16 | (pixel >> green & 0xff) << 8 | pixel >> blue & 0xff
        unsafe to.storeBytes(of: converted, toByteOffset: column * bytesPerPixel, as: UInt32.self)
      }
    }
    copiedBytes &+= UInt64(rect.width * rect.height * bytesPerPixel)
    copyCalls &+= 1
  }
}
