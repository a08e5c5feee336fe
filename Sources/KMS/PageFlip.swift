import CDRM

/// The kernel's page-flip event (DRM_EVENT_FLIP_COMPLETE).
struct PageFlip: Equatable {
  /// The CRTC of the commit.
  var crtcID: UInt32
  /// The user data of the commit.
  var commitNumber: UInt64
  /// CLOCK_MONOTONIC nanoseconds of the frame's first pixel, with the kernel's resolution of a microsecond.
  var timeNanoseconds: UInt64
  /// The low 32 bits of the CRTC's vblank counter; 0 if the driver has none.
  var sequence: UInt32

  /// Calls `body` for every flip event in bytes read from the card.
  ///
  /// Other events are skipped; an impossible length ends the reading.
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
