import CDRM

/// The end of a commit, as the kernel tells it (DRM_EVENT_FLIP_COMPLETE).
struct PageFlip: Equatable {
  /// The CRTC whose commit it was.
  var crtcID: UInt32
  /// The number that was given with the commit.
  var commitNumber: UInt64
  /// When the frame's first pixel left, in nanoseconds of CLOCK_MONOTONIC; the kernel gives whole microseconds.
  var timeNanoseconds: UInt64
  /// The low 32 bits of the CRTC's vblank counter; 0 where the driver has none.
  var sequence: UInt32

  /// Calls `body` with every flip event among the bytes that a read of the card gave.
  ///
  /// Events of other kinds are passed over; a length that makes no sense ends the reading.
  static func forEach(in bytes: UnsafeRawBufferPointer, _ body: (PageFlip) -> Void) {
    let headerBytes = MemoryLayout<drm_event>.size
    var offset = 0
    while bytes.count - offset >= headerBytes {
      // SAFETY: the loop's condition and the guard below keep every read inside the buffer.
      let type = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
      let length = Int(unsafe bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
      guard length >= headerBytes, length <= bytes.count - offset else { return }
      if type == UInt32(DRM_EVENT_FLIP_COMPLETE) && length >= MemoryLayout<drm_event_vblank>.size {
        let event = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: drm_event_vblank.self)
        body(
          PageFlip(
            crtcID: event.crtc_id, commitNumber: event.user_data,
            timeNanoseconds: UInt64(event.tv_sec) * 1_000_000_000 + UInt64(event.tv_usec) * 1000,
            sequence: event.sequence))
      }
      offset += length
    }
  }
}
