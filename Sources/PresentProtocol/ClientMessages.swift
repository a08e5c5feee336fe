public import GraphicsMemory
public import Scanout

/// What a client is.
public enum ClientKind: UInt32, Sendable {
  /// A virtual machine's backend.
  case vm = 1
  /// A container or a process of the host.
  case container = 2
  /// A tool without scanouts.
  case tool = 3
}

/// What a buffer is for.
public enum BufferUsage: UInt32, Sendable {
  /// A scanout's picture.
  case frame = 0
  /// A cursor's picture, ARGB8888 premultiplied.
  case cursor = 1
}

/// How a frame's bytes reached the scan-out buffer.
public enum PresentPath: UInt32, Sendable {
  /// The hardware reads the client's own pages.
  case direct = 1
  /// One CPU copy into a host buffer.
  case copy = 2
  /// Composed by the daemon.
  case blit = 3
}

/// HELLO: a client names itself.
public struct Hello: Equatable, Sendable {
  /// What it is.
  public var kind: ClientKind
  /// Its name, unique among living clients that have scanouts; 1 to 63 bytes.
  public var name: String
  /// Heads wanted, at most 16; 0 for a tool.
  public var scanoutCount: Int
  /// Wished output per head; an empty name, or none, takes any free one.
  public var outputs: [String]

  /// A client of that kind and name.
  public init(kind: ClientKind, name: String, scanoutCount: Int, outputs: [String] = []) {
    self.kind = kind
    self.name = name
    self.scanoutCount = scanoutCount
    self.outputs = outputs
  }
}

/// CREATE_BUFFER: asks for a host buffer.
public struct CreateBuffer: Equatable, Sendable {
  /// Chosen by the client; not 0, not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// Pixels across; of no meaning for a cursor.
  public var width: UInt32
  /// Pixels down; of no meaning for a cursor.
  public var height: UInt32
  /// The pixels' layout.
  public var format: PixelFormat
  /// Frame or cursor.
  public var usage: BufferUsage
  /// Whether the answer may come later, once there is memory; else NO_MEMORY is told at once.
  public var waits: Bool

  /// A request.
  public init(
    bufferID: UInt32, scanout: UInt32, generation: UInt32, width: UInt32, height: UInt32, format: PixelFormat,
    usage: BufferUsage, waits: Bool = true
  ) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.generation = generation
    self.width = width
    self.height = height
    self.format = format
    self.usage = usage
    self.waits = waits
  }
}

/// IMPORT_BUFFER: gives the client's own memory as a frame buffer. Descriptors: see `ImportRanges`.
public struct ImportBuffer: Equatable, Sendable {
  /// Chosen by the client; not 0, not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// The picture in the memory.
  public var layout: FrameLayout
  /// The DRM format modifier; 0 is linear.
  public var modifier: UInt64
  /// Ranges of memfds, or one dma-buf.
  public var memoryKind: MemoryKind
  /// Entries of the range list; 0 for a dma-buf.
  public var rangeCount: Int
  /// As with `CreateBuffer`, where the daemon counts imported memory.
  public var waits: Bool

  /// A request.
  public init(
    bufferID: UInt32, scanout: UInt32, generation: UInt32, layout: FrameLayout, modifier: UInt64,
    memoryKind: MemoryKind, rangeCount: Int, waits: Bool = true
  ) {
    self.bufferID = bufferID
    self.scanout = scanout
    self.generation = generation
    self.layout = layout
    self.modifier = modifier
    self.memoryKind = memoryKind
    self.rangeCount = rangeCount
    self.waits = waits
  }
}

/// PRESENT: shows a buffer at the next vblank.
public struct Present: Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// Rises with every present of a scanout.
  public var frame: UInt64
  /// The buffer.
  public var bufferID: UInt32
  /// The part of the buffer that is shown, in its pixels.
  public var source: Rect
  /// What changed since the scanout's last frame; empty means everything.
  public var damage: DamageRegion
  /// How the bytes came here.
  public var path: PresentPath
  /// How often a CPU has moved this frame on the way here.
  public var copies: UInt32
  /// Bytes that a CPU copied for it.
  public var copiedBytes: UInt64
  /// CLOCK_MONOTONIC when the guest handed the frame over.
  public var readyNanoseconds: UInt64
  /// Whether a descriptor beside the message tells when the buffer may be read.
  public var hasAcquireFence: Bool

  /// A frame.
  public init(
    scanout: UInt32, generation: UInt32, frame: UInt64, bufferID: UInt32, source: Rect,
    damage: DamageRegion = DamageRegion(), path: PresentPath, copies: UInt32 = 0, copiedBytes: UInt64 = 0,
    readyNanoseconds: UInt64 = 0, hasAcquireFence: Bool = false
  ) {
    self.scanout = scanout
    self.generation = generation
    self.frame = frame
    self.bufferID = bufferID
    self.source = source
    self.damage = damage
    self.path = path
    self.copies = copies
    self.copiedBytes = copiedBytes
    self.readyNanoseconds = readyNanoseconds
    self.hasAcquireFence = hasAcquireFence
  }
}

/// CURSOR: picture and place of a scanout's cursor.
public struct SetCursor: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// A buffer of usage `cursor`; nil hides the cursor.
  public var bufferID: UInt32?
  /// Pixels from the picture's left to the cursor's; may be negative.
  public var x: Int32
  /// Pixels from the picture's top to the cursor's; may be negative.
  public var y: Int32
  /// The hotspot in the cursor's picture.
  public var hotX: UInt32
  /// The hotspot in the cursor's picture.
  public var hotY: UInt32

  /// A cursor.
  public init(
    scanout: UInt32, generation: UInt32, bufferID: UInt32?, x: Int32, y: Int32, hotX: UInt32 = 0, hotY: UInt32 = 0
  ) {
    self.scanout = scanout
    self.generation = generation
    self.bufferID = bufferID
    self.x = x
    self.y = y
    self.hotX = hotX
    self.hotY = hotY
  }
}

/// REGION: a scanout's frames come through the rings of a region from now on.
public struct AttachRegion: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The memory's size: a power of two.
  public var regionByteCount: UInt64
  /// Slots, 1 to 16.
  public var slotCount: UInt32
  /// Whether whoever draws reads this machine's CLOCK_MONOTONIC.
  public var sharesClock: Bool
  /// Whether an eventfd that the daemon raises travels beside the message; else REGION_NEWS tells.
  public var hasGuestDoorbell: Bool

  /// A region.
  public init(
    scanout: UInt32, regionByteCount: UInt64, slotCount: UInt32, sharesClock: Bool, hasGuestDoorbell: Bool
  ) {
    self.scanout = scanout
    self.regionByteCount = regionByteCount
    self.slotCount = slotCount
    self.sharesClock = sharesClock
    self.hasGuestDoorbell = hasGuestDoorbell
  }
}

/// SYNC_POINTS: points of timelines (`drm_syncobj`) for the scanout's next PRESENT. Their objects travel beside it.
public struct SyncPoints: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The buffer is read once this is signalled; nil: at once.
  public var acquirePoint: UInt64?
  /// Signalled when nobody reads the buffer for that frame any more; nil: nothing is.
  public var releasePoint: UInt64?

  /// Points for a frame.
  public init(scanout: UInt32, acquirePoint: UInt64?, releasePoint: UInt64?) {
    self.scanout = scanout
    self.acquirePoint = acquirePoint
    self.releasePoint = releasePoint
  }
}

/// In which ways the daemon's state can change, as SUBSCRIBE and CHANGED name them.
public struct ChangeKinds: OptionSet, Hashable, Sendable {
  /// Bits of `enum framepath_change_kind`.
  public let rawValue: UInt32

  /// A set of kinds from its bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// An output was added, plugged, unplugged or leased, or has another mode or power state.
  public static let outputs = ChangeKinds(rawValue: 1)
  /// A client connected or left, or a scanout has another output or path.
  public static let vms = ChangeKinds(rawValue: 2)
  /// Another VM is shown alone on an output.
  public static let focus = ChangeKinds(rawValue: 4)
  /// Settings were changed.
  public static let settings = ChangeKinds(rawValue: 8)

  /// Every kind.
  public static let all: ChangeKinds = [.outputs, .vms, .focus, .settings]
}

/// Whose picture SNAPSHOT asks for.
public enum SnapshotSubject: Equatable, Sendable {
  /// A VM's scanout, with its cursor.
  case vm(name: String, scanout: UInt32)
  /// An output.
  case output(name: String)
}

/// A message from a client to the daemon.
public enum ClientMessage: Sendable {
  /// HELLO (1).
  case hello(Hello)
  /// CREATE_BUFFER (2); `request` is repeated by the answer.
  case createBuffer(CreateBuffer, request: UInt64)
  /// IMPORT_BUFFER (3); `request` is repeated by the answer.
  case importBuffer(ImportBuffer, request: UInt64)
  /// DESTROY_BUFFER (4).
  case destroyBuffer(UInt32)
  /// PRESENT (5).
  case present(Present)
  /// DISABLE (6) of a scanout.
  case disable(scanout: UInt32)
  /// CURSOR (7).
  case cursor(SetCursor)
  /// PATH (8): which path a scanout takes, and why no better one; up to 255 bytes of text.
  case path(scanout: UInt32, PresentPath, reason: String)
  /// STATUS (9); `request` is repeated by the answer.
  case status(request: UInt64)
  /// SNAPSHOT (10); `request` is repeated by the answer.
  case snapshot(SnapshotSubject, request: UInt64)
  /// CONTROL (11): settings in the words of the configuration file, 1007 bytes at most.
  case control(String, request: UInt64)
  /// TRACE (12): the times of the last frames; `request` is repeated by the answer.
  case trace(request: UInt64)
  /// REGION (13).
  case region(AttachRegion)
  /// LEASE (14) of the output of that name; `request` is repeated by the answer.
  case lease(output: String, request: UInt64)
  /// SYNC_POINTS (15); `request` is repeated by a refusal.
  case syncPoints(SyncPoints, request: UInt64)
  /// SUBSCRIBE (16) to changes of these kinds, instead of those before; `request` is repeated by each CHANGED.
  case subscribe(ChangeKinds, request: UInt64)
}
