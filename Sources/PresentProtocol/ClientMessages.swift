public import GraphicsMemory
public import Scanout

/// The kinds of clients.
public enum ClientKind: UInt32, Sendable {
  /// A virtual machine's backend.
  case vm = 1
  /// A container or a process of the host.
  case container = 2
  /// A tool without scanouts.
  case tool = 3
}

/// The uses of a buffer.
public enum BufferUsage: UInt32, Sendable {
  /// A frame of a scanout.
  case frame = 0
  /// A cursor image, ARGB8888 premultiplied.
  case cursor = 1
}

/// How a frame's bytes reached the scanned-out buffer.
public enum PresentPath: UInt32, Sendable {
  /// The hardware reads the client's pages.
  case direct = 1
  /// One CPU copy into a host buffer.
  case copy = 2
  /// Composed by the daemon.
  case blit = 3
}

/// HELLO: a client introduces itself.
public struct Hello: Equatable, Sendable {
  /// The kind of client.
  public var kind: ClientKind
  /// The client's name, 1 to 63 bytes; unique among connected clients with scanouts.
  public var name: String
  /// The number of scanouts, at most 16; 0 for a tool.
  public var scanoutCount: Int
  /// The output of each scanout by name; empty or missing for any free one.
  public var outputs: [String]

  /// A HELLO of that client.
  public init(kind: ClientKind, name: String, scanoutCount: Int, outputs: [String] = []) {
    self.kind = kind
    self.name = name
    self.scanoutCount = scanoutCount
    self.outputs = outputs
  }
}

/// CREATE_BUFFER: requests a host buffer.
public struct CreateBuffer: Equatable, Sendable {
  /// The buffer's name, chosen by the client; not 0, and not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// Width in pixels; ignored for a cursor.
  public var width: UInt32
  /// Height in pixels; ignored for a cursor.
  public var height: UInt32
  /// The format of the pixels.
  public var format: PixelFormat
  /// The use of the buffer.
  public var usage: BufferUsage
  /// Whether the request may wait for memory; otherwise NO_MEMORY comes at once.
  public var waits: Bool

  /// A request for a host buffer.
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

/// IMPORT_BUFFER: imports the client's memory as a framebuffer. Descriptors: see `ImportRanges`.
public struct ImportBuffer: Equatable, Sendable {
  /// The buffer's name, chosen by the client; not 0, and not in use.
  public var bufferID: UInt32
  /// The scanout that will show it.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// The layout of the picture in the memory.
  public var layout: FrameLayout
  /// The DRM format modifier; 0 is linear.
  public var modifier: UInt64
  /// Ranges of memfds, or one dma-buf.
  public var memoryKind: MemoryKind
  /// The number of entries in the range list; 0 for a dma-buf.
  public var rangeCount: Int
  /// As in `CreateBuffer`, if the daemon counts imported memory.
  public var waits: Bool

  /// A request to import memory.
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
  /// The damage since the scanout's last frame, in the buffer's pixels.
  public var damage: Damage
  /// How the bytes reached the buffer.
  public var path: PresentPath
  /// How often a CPU has copied this frame so far.
  public var copies: UInt32
  /// The bytes that a CPU copied for it.
  public var copiedBytes: UInt64
  /// CLOCK_MONOTONIC nanoseconds at which the guest presented the frame.
  public var readyNanoseconds: UInt64
  /// Whether a descriptor with an acquire fence comes with the message.
  public var hasAcquireFence: Bool

  /// A present of that frame.
  public init(
    scanout: UInt32, generation: UInt32, frame: UInt64, bufferID: UInt32, source: Rect,
    damage: Damage = .full, path: PresentPath, copies: UInt32 = 0, copiedBytes: UInt64 = 0,
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

/// CURSOR: image and position of a scanout's cursor.
public struct SetCursor: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The scanout's generation.
  public var generation: UInt32
  /// A buffer of usage `cursor`; nil hides the cursor.
  public var bufferID: UInt32?
  /// Pixels from the frame's left edge to the cursor's; may be negative.
  public var x: Int32
  /// Pixels from the frame's top edge to the cursor's; may be negative.
  public var y: Int32
  /// The hotspot's x in the cursor image.
  public var hotX: UInt32
  /// The hotspot's y in the cursor image.
  public var hotY: UInt32

  /// A cursor at that position.
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
  /// The size of the memory: a power of two.
  public var regionByteCount: UInt64
  /// The number of slots, 1 to 16.
  public var slotCount: UInt32
  /// Whether the guest reads this machine's CLOCK_MONOTONIC.
  public var sharesClock: Bool
  /// Whether an eventfd for the daemon to raise comes with the message; otherwise REGION_NEWS is sent.
  public var hasGuestDoorbell: Bool

  /// A request to show a region.
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

/// SYNC_POINTS: timeline points (`drm_syncobj`) for the scanout's next PRESENT. Their syncobjs come with the message.
public struct SyncPoints: Equatable, Sendable {
  /// The scanout.
  public var scanout: UInt32
  /// The buffer is read once this point is signalled; nil for at once.
  public var acquirePoint: UInt64?
  /// Signalled when the buffer is no longer read for that frame; nil for none.
  public var releasePoint: UInt64?

  /// Points for the next frame.
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

/// The subject of a SNAPSHOT.
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
  /// CREATE_BUFFER (2); the answer repeats `request`.
  case createBuffer(CreateBuffer, request: UInt64)
  /// IMPORT_BUFFER (3); the answer repeats `request`.
  case importBuffer(ImportBuffer, request: UInt64)
  /// DESTROY_BUFFER (4).
  case destroyBuffer(UInt32)
  /// PRESENT (5).
  case present(Present)
  /// DISABLE (6) of a scanout.
  case disable(scanout: UInt32)
  /// CURSOR (7).
  case cursor(SetCursor)
  /// PATH (8): the path that a scanout takes, and why a better one is unavailable; up to 255 bytes of text.
  case path(scanout: UInt32, PresentPath, reason: String)
  /// STATUS (9); the answer repeats `request`.
  case status(request: UInt64)
  /// SNAPSHOT (10); the answer repeats `request`.
  case snapshot(SnapshotSubject, request: UInt64)
  /// SETTINGS (11): so many records in the memfd beside it (`SettingRecords`); the answer repeats
  /// `request`.
  case settings(count: Int, request: UInt64)
  /// TRACE (12): the times of the last frames; the answer repeats `request`.
  case trace(request: UInt64)
  /// REGION (13).
  case region(AttachRegion)
  /// LEASE (14) of the named output; the answer repeats `request`.
  case lease(output: String, request: UInt64)
  /// SYNC_POINTS (15); a refusal repeats `request`.
  case syncPoints(SyncPoints, request: UInt64)
  /// SUBSCRIBE (16) to changes of these kinds, instead of those before; `request` is repeated by each CHANGED.
  case subscribe(ChangeKinds, request: UInt64)
  /// FOCUS (17) on the VM of that name; `request` is repeated by the answer.
  case focus(vm: String, request: UInt64)
  /// REVOKE (18) of the output of that name, of a lessee's only where `ofLease` is set; `request` is repeated by the
  /// answer.
  case revoke(output: String, ofLease: Bool, request: UInt64)
}
