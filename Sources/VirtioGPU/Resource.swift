import Glibc
import GraphicsMemory
import Scanout

/// How the pixels of a resource lie in its bytes.
struct Picture: Equatable {
  var width: Int
  var height: Int
  var strideBytes: Int
  /// Bytes before the first pixel.
  var offset: Int
  var format: PixelFormat

  var bounds: Rect { Rect(width: width, height: height) }

  /// Where pixel (x, y) is. The pixel has been checked to be inside, and no picture passes 2^40 bytes.
  func byteOffset(x: Int, y: Int) -> Int { offset + y * strideBytes + x * PixelFormat.bytesPerPixel }
}

/// A picture in this process's own memory: of small resources, and of those whose pages the guest took back.
@safe final class PrivatePicture {
  let width: Int
  let height: Int
  let strideBytes: Int
  /// First pixel.
  let base: UnsafeMutableRawPointer

  /// A black, transparent picture of checked size; nil where the host has no memory for it.
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
    /// RESOURCE_CREATE_2D: what is shown is what TRANSFER_TO_HOST_2D brought over.
    case image
    /// RESOURCE_CREATE_BLOB of guest memory: what is shown is in the pages at RESOURCE_FLUSH.
    case blob(byteCount: Int)
  }

  let id: UInt32
  /// Tells resources apart that had the same id one after the other.
  let serial: UInt64
  let kind: Kind
  /// Of an image; of a blob what SET_SCANOUT_BLOB last said.
  var picture: Picture?
  var backing: Backing?
  /// Where the pixels are if not in the backing.
  var privatePicture: PrivatePicture?
  /// Bytes charged to the VM's limit.
  var chargedBytes: Int
  /// Whether TRANSFER_TO_HOST_2D has been here: its offset tells where in the backing the picture begins.
  var hasTransferred = false
  /// A part of an image changed while no scanout showed it. Guests that give the damage against the frame before, not
  /// against the buffer (Linux before 6.8), have changed more than they said.
  var changedUnseen = false
  /// The scanouts that show it, one bit each.
  var scanouts: UInt16 = 0
  /// The scanouts that showed it last, and what of it: where it will probably be shown again.
  var lastSources: [(scanout: Int, source: Rect)] = []

  init(id: UInt32, serial: UInt64, kind: Kind, picture: Picture?, chargedBytes: Int) {
    self.id = id
    self.serial = serial
    self.kind = kind
    self.picture = picture
    self.chargedBytes = chargedBytes
  }

  var isBlob: Bool { kind != .image }

  /// Whether its pixels can be read now.
  var isReadable: Bool { privatePicture != nil || backing?.isResolved == true }

  /// Remembers that a scanout shows, or showed, that part of it.
  func noteShown(scanout: Int, source: Rect) {
    if let index = lastSources.firstIndex(where: { $0.scanout == scanout }) {
      lastSources[index].source = source
    } else {
      lastSources.append((scanout, source))
    }
  }

  /// Copies `rect`, which lies in `picture`, to where `destination` says its upper left pixel goes.
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

  /// Moves the pixels into memory of this process, from where they are shown from now on.
  ///
  /// - Throws: `.outOfMemory` where the host has none.
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
