import ArgumentParser
import FramepathGuest
import GraphicsMemory
import HybridRegion
import LinuxIO
import Scanout

/// Mirrors this machine's own screen into the region: any desktop gets a path with one copy in the guest and none in
/// the host.
struct MirrorProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mirror",
    abstract: "Mirrors what this machine's own display device shows.",
    discussion: """
      Follows page flips and drawing into the visible buffer. Needs root, as everything that looks at another program's \
      screen does.
      """)

  @OptionGroup var options: GuestOptions

  @Option(name: .long, help: "The card whose screen is mirrored.")
  var card = "/dev/dri/card0"

  @Option(name: .long, help: "Looks per second at most; by default the output's refresh rate.")
  var rate: Double?

  @Option(name: .long, help: "End after so many frames; 0 never.")
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
      // A screen on which nothing moves is looked at ten times a second.
      let interval = idleLooks > 120 ? 100_000_000 : UInt64(1e9 / rate)
      let spent = monotonicNanoseconds() - begun
      if spent < interval { pause(nanoseconds: interval - spent) }
    }
    try screen.waitUntilHeld(atMost: 1)
    try LinuxFile.writeToStandardOutput(
      Array("frames=\(mirror.frameCount) copied=\(mirror.ledger.copiedBytes) bytes\n".utf8))
  }
}

/// The mirror's state between two looks.
struct Mirror {
  private let source: MirroredScreen
  private let screen: GuestScreen
  private var hashes = TileHashes()
  private var size = (width: 0, height: 0)
  private var format = PixelFormat.xrgb8888
  /// What changed with each of the last frames, the newest first: a slot that is n presents old lacks the first n.
  private var history: [DamageRegion] = []
  /// Every copy that the mirror makes.
  private(set) var ledger = CopyLedger()
  private(set) var frameCount = 0

  init(source: MirroredScreen, screen: GuestScreen) {
    self.source = source
    self.screen = screen
  }

  /// Looks once, and presents what has changed; false where nothing has.
  mutating func step() throws -> Bool {
    guard let framebuffer = try source.current() else { return false }
    if framebuffer.width != size.width || framebuffer.height != size.height || framebuffer.format != format {
      size = (framebuffer.width, framebuffer.height)
      format = framebuffer.format
      hashes.reset(width: size.width, height: size.height)
      history = []
    }
    guard let layout = screen.layout(width: size.width, height: size.height, format: format.opaque),
      layout.byteCount <= screen.slotByteCount
    else { throw ValidationError("a slot of \(screen.slotByteCount) bytes does not hold \(size.width)x\(size.height)") }
    var damage = DamageRegion()
    // SAFETY: the framebuffer's rows are mapped for its life.
    unsafe hashes.look(
      framebuffer.pixels, width: size.width, height: size.height, strideBytes: framebuffer.strideBytes
    ) { damage.add($0) }
    if damage.isEmpty {
      screen.readEvents()
      return false
    }
    let slot = try screen.acquire(timeoutMilliseconds: 60_000)
    let missing = slotDamage(slot, damage, bounds: layout.bounds)
    copy(missing, from: framebuffer, to: slot, layout)
    try screen.present(slot, layout, damage: damage)
    history.insert(damage, at: 0)
    if history.count > screen.slotCount { history.removeLast() }
    frameCount += 1
    return true
  }

  /// What a slot lacks: this frame's damage, and that of the frames since it was new.
  private func slotDamage(_ slot: FrameSlot, _ damage: DamageRegion, bounds: Rect) -> DamageRegion {
    guard slot.age > 0, slot.age - 1 <= history.count else { return DamageRegion(bounds) }
    var result = damage
    for index in 0..<(slot.age - 1) { result.add(history[index]) }
    return result
  }

  private mutating func copy(
    _ damage: DamageRegion, from framebuffer: MirroredScreen.Framebuffer, to slot: FrameSlot, _ layout: FrameLayout
  ) {
    guard let destination = unsafe slot.pixels.baseAddress else { return }
    for index in 0..<damage.count {
      // SAFETY: the rectangle lies in both pictures: tiles lie in the framebuffer, and both have the same size.
      unsafe ledger.copyRect(
        damage[index], from: framebuffer.pixels, sourceStrideBytes: framebuffer.strideBytes, to: destination,
        destinationStrideBytes: layout.strideBytes)
    }
  }
}
