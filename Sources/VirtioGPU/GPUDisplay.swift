public import GraphicsMemory
public import Scanout

/// The monitor of a scanout as reported to the guest.
public struct HeadDescription: Equatable, Sendable {
  /// Whether a monitor is plugged in.
  public var connected: Bool
  /// Its current mode; the guest's preferred one.
  public var mode: DisplayMode
  /// Physical size in millimetres; 0 if unknown.
  public var widthMillimetres: Int
  /// Physical size in millimetres; 0 if unknown.
  public var heightMillimetres: Int
  /// The real monitor's EDID; empty if one must be generated.
  public var edid: [UInt8]
  /// The output's name, for the monitor name of a generated EDID.
  public var name: String

  /// A monitor.
  public init(
    connected: Bool, mode: DisplayMode, widthMillimetres: Int = 0, heightMillimetres: Int = 0, edid: [UInt8] = [],
    name: String
  ) {
    self.connected = connected
    self.mode = mode
    self.widthMillimetres = widthMillimetres
    self.heightMillimetres = heightMillimetres
    self.edid = edid
    self.name = name
  }
}

/// A host buffer that the display can show and the device copies into.
public final class HostBuffer {
  /// The buffer's name at the display.
  public let id: UInt32
  /// Its memory.
  public let mapped: MappedBuffer

  /// A buffer known to the display as `id`.
  public init(id: UInt32, mapped: MappedBuffer) {
    self.id = id
    self.mapped = mapped
  }
}

/// The result of an import.
public enum BufferImport: Equatable, Sendable {
  /// The display can show the memory, under that name.
  case imported(id: UInt32)
  /// The display cannot show the memory. Asking again would give the same answer.
  case refused(reason: String)
  /// No answer at the moment; retry later.
  case unavailable(reason: String)
}

/// How a frame's bytes reached the scan-out buffer.
public enum FramePath: UInt32, Sendable {
  /// The hardware reads the guest's own pages.
  case direct = 1
  /// One CPU copy into a host buffer.
  case copy = 2
  /// Composed by the daemon.
  case blit = 3
}

/// A frame to present on a scanout.
public struct FrameSubmission: Sendable {
  /// The scanout.
  public var scanout: Int
  /// Rises with every frame of a scanout.
  public var frame: UInt64
  /// The buffer's name at the display.
  public var bufferID: UInt32
  /// The part of the buffer that is shown.
  public var source: Rect
  /// The damage since the scanout's last frame, in the buffer's pixels.
  public var damage: Damage
  /// How the bytes reached the buffer.
  public var path: FramePath
  /// Bytes that a CPU copied for it.
  public var copiedBytes: UInt64
  /// CLOCK_MONOTONIC when the guest's command arrived.
  public var readyNanoseconds: UInt64

  /// A frame.
  public init(
    scanout: Int, frame: UInt64, bufferID: UInt32, source: Rect, damage: Damage, path: FramePath,
    copiedBytes: UInt64, readyNanoseconds: UInt64
  ) {
    self.scanout = scanout
    self.frame = frame
    self.bufferID = bufferID
    self.source = source
    self.damage = damage
    self.path = path
    self.copiedBytes = copiedBytes
    self.readyNanoseconds = readyNanoseconds
  }
}

/// The outcome of a frame.
public enum FrameOutcome: UInt32, Sendable {
  /// It is on screen.
  case flipped = 1
  /// A newer frame replaced it before it was shown.
  case superseded = 2
  /// The output refused it.
  case rejected = 3
}

/// The display of a device: the daemon in a backend, a recorder in tests.
///
/// Called on the device's thread. The display answers later by `Device.frameDone`, `Device.bufferReleased`,
/// `Device.headsChanged`, `Device.buffersLost`, `Device.displayLost` and `Device.displayRestored`, never from inside
/// these calls. Buffer ids are unique over all scanouts, and a buffer is presented only on the scanout it was made for.
public protocol GPUDisplay: AnyObject {
  /// The monitor of a scanout, or nil if the VM does not have that head.
  func head(_ scanout: Int) -> HeadDescription?
  /// A frame buffer for that scanout's output, of a format without alpha. May wait shortly for the daemon; nil if none
  /// is available now.
  func makeBuffer(scanout: Int, width: Int, height: Int, format: PixelFormat) -> HostBuffer?
  /// A buffer for that scanout's cursor: 64 × 64 or larger, ARGB8888.
  func makeCursorBuffer(scanout: Int) -> HostBuffer?
  /// Imports the guest's memory as a buffer of that scanout's output, without a copy. May wait shortly for the daemon.
  ///
  /// - Parameters:
  ///   - layout: the picture in the ranges; of a format without alpha.
  ///   - ranges: whole pages, in the picture's order. The descriptors are valid during the call only.
  func importBuffer(scanout: Int, layout: FrameLayout, ranges: [MemoryRange]) -> BufferImport
  /// Destroys a buffer; the display frees it once it has left the screen.
  func destroyBuffer(_ id: UInt32)
  /// Shows a frame at the next vblank. Answered by one `frameDone`, and after a flip by `bufferReleased` once another
  /// buffer has replaced it.
  func present(_ frame: FrameSubmission)
  /// Blanks a scanout.
  func disable(scanout: Int)
  /// Shows buffer `bufferID` as the cursor with its corner at (x, y), or hides the cursor for nil.
  func setCursor(scanout: Int, bufferID: UInt32?, x: Int, y: Int, hotX: Int, hotY: Int)
  /// Reports the path of a scanout, and why a better one is unavailable.
  func setPath(scanout: Int, path: FramePath, reason: String)
}
