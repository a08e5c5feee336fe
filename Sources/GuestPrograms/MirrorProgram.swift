import ArgumentParser
import FramepathGuest
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout

/// Mirrors this machine's screen into the region: any desktop is shown with one copy in the guest and none in the host.
struct MirrorProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mirror",
    abstract: "Mirrors the screen of this machine's display device.",
    discussion: """
      Follows page flips and drawing into the visible buffer. Needs root, because it reads another program's screen.
      """)

  @OptionGroup var options: GuestOptions

  @Option(name: .long, help: "The card to mirror.")
  var card = "/dev/dri/card0"

  @Option(name: .long, help: "The highest number of captures per second. Default: the output's refresh rate.")
  var rate: Double?

  @Option(name: .long, help: "End after this many frames; 0: never.")
  var frames = 0

  func run() throws {
    let source = try MirroredScreen(card)
    let screen = try GuestScreen(options.place)
    var mirror = Mirror(source: source, screen: screen)
    var idleLooks = 0
    while frames == 0 || mirror.frameCount < frames {
      let rate = min(max(self.rate ?? Double(screen.output?.refreshMillihertz ?? 60_000) / 1000, 0.1), 1000)
      let begun = monotonicNanoseconds()
      idleLooks = try mirror.step() ? 0 : idleLooks + 1
      // A static screen is captured ten times a second.
      let interval = idleLooks > 120 ? 100_000_000 : UInt64(1e9 / rate)
      let spent = monotonicNanoseconds() - begun
      if spent < interval { pause(nanoseconds: interval - spent) }
    }
    try screen.waitUntilHeld(atMost: 1)
    try LinuxFile.writeToStandardOutput(
      Array("frames=\(mirror.frameCount) copied=\(mirror.ledger.copiedBytes) bytes\n".utf8))
  }
}

/// The mirror's state between two captures.
struct Mirror {
  private let source: MirroredScreen
  private let screen: GuestScreen
  private var hashes = TileHashes()
  private var size = (width: 0, height: 0)
  private var format = PixelFormat.xrgb8888
  /// The damage that each slot lacks.
  private var ring: DamageRing
  /// Counts every copy of the mirror.
  private(set) var ledger = CopyLedger()
  private(set) var frameCount = 0

  init(source: MirroredScreen, screen: GuestScreen) {
    self.source = source
    self.screen = screen
    ring = DamageRing(bufferCount: screen.slotCount, bounds: .empty)
  }

  /// Captures once, and presents the changes; false if there are none.
  mutating func step() throws -> Bool {
    guard let framebuffer = try source.current() else { return false }
    if framebuffer.width != size.width || framebuffer.height != size.height || framebuffer.format != format {
      size = (framebuffer.width, framebuffer.height)
      format = framebuffer.format
      hashes.reset(width: size.width, height: size.height)
      ring.invalidate(bounds: Rect(width: size.width, height: size.height))
    }
    guard let layout = screen.layout(width: size.width, height: size.height, format: format.opaque),
      layout.byteCount <= screen.slotByteCount
    else {
      throw ValidationError("a slot (\(screen.slotByteCount) bytes) is too small for \(size.width)x\(size.height)")
    }
    var damage = DamageRegion()
    // SAFETY: the framebuffer's rows are mapped for its life.
    unsafe hashes.look(
      framebuffer.pixels, width: size.width, height: size.height, strideBytes: framebuffer.strideBytes
    ) { damage.add($0) }
    if damage.isEmpty {
      screen.readEvents()
      return false
    }
    ring.add(damage)
    let slot = try screen.acquire(timeoutMilliseconds: 60_000)
    if slot.age == 0 { ring.invalidate(buffer: slot.index, bounds: layout.bounds) }
    copy(ring.takeDamage(ofBuffer: slot.index), from: framebuffer, to: slot, layout)
    try screen.present(slot, layout, damage: .region(damage))
    frameCount += 1
    return true
  }

  private mutating func copy(
    _ damage: DamageRegion, from framebuffer: MirroredScreen.Framebuffer, to slot: FrameSlot, _ layout: FrameLayout
  ) {
    guard let destination = unsafe slot.pixels.baseAddress else { return }
    for index in 0..<damage.count {
      // SAFETY: the rectangle is inside both pictures: tiles are inside the framebuffer, and both have the same size.
      unsafe ledger.copyRect(
        damage[index], from: framebuffer.pixels, sourceStrideBytes: framebuffer.strideBytes, to: destination,
        destinationStrideBytes: layout.strideBytes)
    }
  }
}
