/// `struct virtio_gpu_config`: events_read, events_clear, num_scanouts, num_capsets.
struct ConfigurationSpace {
  static let byteCount = 16
  /// VIRTIO_GPU_EVENT_DISPLAY: the display info has changed.
  static let displayEvent: UInt32 = 1

  var events: UInt32 = 0
  let scanoutCount: UInt32

  /// Fills `buffer` from byte `offset` on; zeros past the end.
  func read(_ offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    // events_clear reads as 0, and there are no capsets.
    let fields: InlineArray<4, UInt32> = [events, 0, scanoutCount, 0]
    for index in buffer.indices {
      let (at, overflow) = offset.addingReportingOverflow(index)
      let inside = !overflow && (0..<ConfigurationSpace.byteCount).contains(at)
      unsafe buffer[index] = inside ? UInt8(truncatingIfNeeded: fields[at / 4] >> UInt32(at % 4 * 8)) : 0
    }
  }

  /// The guest writes bytes from `offset` on: only events_clear has an effect.
  mutating func write(_ offset: Int, _ bytes: UnsafeRawBufferPointer) {
    for index in bytes.indices {
      let (at, overflow) = offset.addingReportingOverflow(index)
      guard !overflow, (4..<8).contains(at) else { continue }
      events &= ~(unsafe UInt32(bytes[index]) << UInt32((at - 4) * 8))
    }
  }
}
