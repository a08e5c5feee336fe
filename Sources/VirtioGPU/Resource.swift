import Glibc
import GraphicsMemory
import Scanout

/// The layout of a picture in a resource's bytes.
struct Picture: Equatable {
  var width: Int
  var height: Int
  var strideBytes: Int
  /// Bytes before the first pixel.
  var offset: Int
  var format: PixelFormat

  var bounds: Rect { Rect(width: width, height: height) }

  /// The offset of pixel (x, y), which has been checked to be inside; no picture exceeds 2^40 bytes.
  func byteOffset(x: Int, y: Int) -> Int { offset + y * strideBytes + x * PixelFormat.bytesPerPixel }
}

/// A picture in private memory: for small resources, and for those whose pages were detached.
@safe final class PrivatePicture {
  let width: Int
  let height: Int
  let strideBytes: Int
  /// First pixel.
  let base: UnsafeMutableRawPointer

  /// A black, transparent picture of a checked size; nil if the host is out of memory.
  init?(width: Int, height: Int) {
    self.width = width
    self.height = height
    strideBytes = width * PixelFormat.bytesPerPixel
    guard let memory = unsafe calloc(height, strideBytes) else { return nil }
    unsafe base = memory
  }

  deinit { unsafe free(base) }
}

/// A resource of the guest.
final class Resource {
  enum Kind: Equatable {
    /// RESOURCE_CREATE_2D: shows the pixels as of TRANSFER_TO_HOST_2D.
    case image
    /// RESOURCE_CREATE_BLOB of guest memory: shows the pages as of RESOURCE_FLUSH.
    case blob(byteCount: Int)
  }

  let id: UInt32
  /// Distinguishes resources that reuse an id.
  let serial: UInt64
  let kind: Kind
  /// The layout of an image; for a blob that of the last SET_SCANOUT_BLOB.
  var picture: Picture?
  var backing: Backing?
  /// The pixels, if they are not in the backing.
  var privatePicture: PrivatePicture?
  /// The memory of its list of pages, for the memory limit.
  var listBytes = 0
  /// Whether there was a TRANSFER_TO_HOST_2D, whose offset gives the picture's position in the backing.
  var hasTransferred = false
  /// A part of an image changed while no scanout showed it. Guests that report damage relative to the frame before, not
  /// to the buffer (Linux before 6.8), have changed more than they reported.
  var changedUnseen = false
  /// The scanouts that show it, as one bit each.
  var scanouts: UInt16 = 0
  /// Where, and with which source rectangle, it was last shown; it will probably be shown there again.
  var lastSources: [(scanout: Int, source: Rect)] = []

  init(id: UInt32, serial: UInt64, kind: Kind, picture: Picture?) {
    self.id = id
    self.serial = serial
    self.kind = kind
    self.picture = picture
  }

  var isBlob: Bool { kind != .image }

  /// The memory of its private picture, for the memory limit.
  var privateBytes: Int { privatePicture.map { $0.strideBytes * $0.height } ?? 0 }

  /// Whether its pixels can be read now.
  var isReadable: Bool { privatePicture != nil || backing?.isResolved == true }

  /// Records that a scanout shows that part of it.
  func noteShown(scanout: Int, source: Rect) {
    if let index = lastSources.firstIndex(where: { $0.scanout == scanout }) {
      lastSources[index].source = source
    } else {
      lastSources.append((scanout, source))
    }
  }

  /// Copies `rect`, which is inside `picture`; `destination` is the address of its upper left pixel.
  func copy(
    _ rect: Rect, of picture: Picture, to destination: UnsafeMutableRawPointer, destinationStrideBytes: Int,
    ledger: inout CopyLedger, workers: CopyWorkers?
  ) {
    let rowBytes = rect.width * PixelFormat.bytesPerPixel
    if let privatePicture {
      // SAFETY: a private picture is as large as the image, and `rect` was clipped to it.
      unsafe ledger.copyRows(
        rect.height, rowBytes: rowBytes,
        from: privatePicture.base + rect.y * privatePicture.strideBytes + rect.x * PixelFormat.bytesPerPixel,
        sourceStrideBytes: privatePicture.strideBytes, to: destination, destinationStrideBytes: destinationStrideBytes,
        workers: workers)
      return
    }
    unsafe backing?.copyRows(
      rect.height, rowBytes: rowBytes, offset: picture.byteOffset(x: rect.x, y: rect.y),
      strideBytes: picture.strideBytes, to: destination, destinationStrideBytes: destinationStrideBytes,
      ledger: &ledger, workers: workers)
  }

  /// Moves the pixels into private memory, from which they are shown afterwards.
  ///
  /// - Throws: `.outOfMemory` if the host is out of memory.
  func makePrivate(ledger: inout CopyLedger, workers: CopyWorkers?) throws(GPUError) {
    guard privatePicture == nil, let picture else { return }
    guard let copy = PrivatePicture(width: picture.width, height: picture.height) else { throw .outOfMemory }
    if hasTransferred {
      unsafe self.copy(
        picture.bounds, of: picture, to: copy.base, destinationStrideBytes: copy.strideBytes, ledger: &ledger,
        workers: workers)
    }
    privatePicture = copy
  }
}
