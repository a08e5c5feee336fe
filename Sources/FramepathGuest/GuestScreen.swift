import Glibc
public import GraphicsMemory
public import HybridRegion
import Ivshmem
import LinuxIO
public import Scanout

/// The location of a region.
public enum RegionPlace: Equatable, Sendable {
  /// The ivshmem device with that number on this machine's PCI bus; 0 is the first.
  case device(Int)
  /// The socket of `framepath-ivshmem`: a container or a process of the host.
  case socket(String)
  /// The daemon's socket; this process is a client of that name and brings its own region.
  case daemon(String, name: String)
  /// A file with the region's memory; it is polled.
  case file(String)
}

/// A frame slot to draw into.
@safe public struct FrameSlot {
  /// The slot's number.
  public let index: Int
  /// The slot's memory, valid while the screen lives and until the slot is presented or abandoned. Do not read it: it
  /// may be write-combined, where reading is slow.
  public let pixels: UnsafeMutableRawBufferPointer
  /// How many presents ago its picture was new: 1 for the last one; 0 if its content is unknown.
  public let age: Int
}

/// A guest's screen: acquire a slot, draw, present it, repeat.
///
/// Used from one thread.
public final class GuestScreen {
  private let region: RegionGuest
  private let doorbells: Doorbells
  private let lock: OwnedFD?
  /// Called for every event of the host.
  public var onEvent: ((RegionEvent) -> Void)?
  /// The time of the last flip in nanoseconds of the host's CLOCK_MONOTONIC.
  public private(set) var lastFlipNanoseconds: UInt64 = 0
  /// The number of flipped frames.
  public private(set) var flippedCount: UInt64 = 0
  /// The number of superseded frames.
  public private(set) var supersededCount: UInt64 = 0
  /// The number of frames that the host refused or lost.
  public private(set) var failedCount: UInt64 = 0

  /// Opens the region, locks out other clients on this machine, and attaches.
  ///
  /// - Parameter timeoutMilliseconds: for the host's answer. A polling host checks once a second.
  public init(_ place: RegionPlace = .device(0), timeoutMilliseconds: Int = 5000) throws(GuestError) {
    switch place {
    case .device(let number):
      let devices = PCIDevice.all()
      guard devices.indices.contains(number) else {
        throw .noDevice("this machine has \(devices.count) ivshmem devices (PCI 1af4:1110)")
      }
      let device = devices[number]
      let file = try GuestScreen.lockedFile(device.memoryPath)
      // VFIO enables the device when it opens it; a bound device cannot be enabled otherwise.
      let interrupt = device.hasDoorbell ? GuestScreen.interrupt(device) : nil
      do throws(SystemError) { try device.enable() } catch { throw .system(error) }
      region = try GuestScreen.region(file.raw, isWeaklyOrdered: true)
      doorbells = device.hasDoorbell ? GuestScreen.registers(device, interrupt) : Doorbells()
      lock = .some(file)
    case .file(let path):
      let file = try GuestScreen.lockedFile(path)
      region = try GuestScreen.region(file.raw, isWeaklyOrdered: false)
      doorbells = Doorbells()
      lock = .some(file)
    case .daemon(let path, let name):
      let daemon = try DaemonDoorbells(
        path: path, name: name, slotCount: 3, timeoutMilliseconds: timeoutMilliseconds)
      region = try GuestScreen.region(daemon.memory.raw, isWeaklyOrdered: false)
      doorbells = daemon
      lock = nil
    case .socket(let path):
      let client: IvshmemClient
      do throws(IvshmemError) { client = try IvshmemClient.connect(path) } catch { throw .server(error) }
      guard MemFD.seals(of: client.memory.raw)?.contains(.shrink) == true else {
        throw .system(SystemError(call: "region", code: EINVAL, subject: "its memory is not sealed against shrinking"))
      }
      region = try GuestScreen.region(client.memory.raw, isWeaklyOrdered: false)
      doorbells = ClientDoorbells(client)
      lock = nil
    }
    try begin(timeoutMilliseconds)
  }

  deinit {
    region.detach()
    doorbells.ring(region.doorbellValue)
  }

  private static func lockedFile(_ path: String) throws(GuestError) -> OwnedFD {
    do throws(SystemError) {
      let file = try OwnedFD.open(path, flags: OpenFlags.readWrite)
      if try lockExclusively(file.raw) { return file }
    } catch {
      throw .system(error)
    }
    throw .busy(path)
  }

  /// An invalid header is read again for a while: a former client may have overwritten it, and the host restores it
  /// within a second.
  private static func region(_ fd: Int32, isWeaklyOrdered: Bool) throws(GuestError) -> RegionGuest {
    let deadline = monotonicNanoseconds() + 1_500_000_000
    while true {
      do throws(GuestError) {
        return try regionNow(fd, isWeaklyOrdered: isWeaklyOrdered)
      } catch {
        switch error {
        case .region(.noRegion), .region(.malformed): break
        default: throw error
        }
        guard monotonicNanoseconds() < deadline else { throw error }
      }
      sleepNanoseconds(100_000_000)
    }
  }

  private static func regionNow(_ fd: Int32, isWeaklyOrdered: Bool) throws(GuestError) -> RegionGuest {
    let mapping: Mapping
    do throws(SystemError) {
      mapping = try Mapping(fd: fd, byteCount: fileByteCount(fd), isGuarded: false)
    } catch {
      throw .system(error)
    }
    do throws(RegionError) {
      return try RegionGuest(mapping, isWeaklyOrdered: isWeaklyOrdered)
    } catch {
      throw .region(error)
    }
  }

  /// Without its registers a device is polled.
  private static func registers(_ device: PCIDevice, _ interrupt: GuestInterrupt?) -> Doorbells {
    do throws(SystemError) {
      let file = try OwnedFD.open(device.registersPath, flags: OpenFlags.registers)
      return RegisterDoorbells(
        try Mapping(fd: file.raw, byteCount: pageByteCount, isGuarded: false), interrupt: interrupt)
    } catch {
      return Doorbells()
    }
  }

  /// Nil if the device is not bound to vfio-pci, or cannot be opened: then the guest polls.
  private static func interrupt(_ device: PCIDevice) -> GuestInterrupt? {
    do throws(SystemError) {
      guard let opened = try VFIOInterrupt.open(device) else { return nil }
      return GuestInterrupt(opened)
    } catch {
      return nil
    }
  }

  /// Whether the host wakes this side, so that it need not poll.
  public var hasInterrupt: Bool { doorbells.listens }

  private func begin(_ timeoutMilliseconds: Int) throws(GuestError) {
    var flags: RegionGuestFlags = []
    if doorbells.rings { flags.insert(.rings) }
    if doorbells.listens { flags.insert(.listens) }
    region.attach(flags)
    doorbells.ring(region.doorbellValue)
    let deadline = GuestScreen.deadline(timeoutMilliseconds)
    var backoff = Backoff()
    while true {
      switch region.attachResult() {
      case .success: return
      case .failure(let reason): throw .refused(reason)
      case nil: break
      }
      if region.state == .ended { throw .hostFailed }
      guard monotonicNanoseconds() < deadline else { throw .hostSilent }
      guard doorbells.wait(&backoff, until: deadline) else { throw doorbells.failure ?? .hostFailed }
    }
  }

  private static func deadline(_ timeoutMilliseconds: Int) -> UInt64 {
    monotonicNanoseconds() + UInt64(clamping: timeoutMilliseconds) * 1_000_000
  }

  // MARK: - Drawing

  /// The VM's name.
  public var name: String { region.name }

  /// The output's mode; nil while there is no output.
  public var output: RegionOutput? { region.output }

  /// Waits until there is an output: a host may accept a client before it has an output for it.
  ///
  /// - Throws: `.timedOut` if there is none in time.
  public func waitForOutput(timeoutMilliseconds: Int = 5000) throws(GuestError) -> RegionOutput {
    var result: RegionOutput?
    try wait(timeoutMilliseconds) {
      result = region.output
      return result != nil
    }
    guard let result else { throw .timedOut }
    return result
  }

  /// The state of the host side.
  public var state: RegionHostState { region.state }

  /// The size of a slot in bytes, and so of the largest picture.
  public var slotByteCount: Int { region.layout.slotByteCount }

  /// The number of slots.
  public var slotCount: Int { region.layout.slotCount }

  /// The number of entries that the host refused since the attach.
  public var refusalCount: Int { region.refusalCount }

  /// A picture layout for a slot: the stride is a multiple of 256 bytes, which display hardware accepts.
  public func layout(width: Int, height: Int, format: PixelFormat = .xrgb8888) -> FrameLayout? {
    let (row, overflow) = width.multipliedReportingOverflow(by: PixelFormat.bytesPerPixel)
    guard width > 0, !overflow, row <= 1 << 20 else { return nil }
    return FrameLayout(width: width, height: height, strideBytes: (row + 255) / 256 * 256, format: format)
  }

  /// Waits for a free slot.
  ///
  /// - Throws: `.timedOut` if no slot was released in time.
  public func acquire(timeoutMilliseconds: Int = 5000) throws(GuestError) -> FrameSlot {
    var result: FrameSlot?
    try wait(timeoutMilliseconds) {
      guard let index = region.acquire() else { return false }
      result = unsafe FrameSlot(index: index, pixels: region.pixels(of: index), age: region.age(of: index))
      return true
    }
    guard let result else { throw .timedOut }
    return result
  }

  /// Returns a slot without presenting it.
  public func abandon(_ slot: FrameSlot) { region.abandon(slot.index) }

  /// Presents a slot.
  ///
  /// - Parameters:
  ///   - picture: the layout of the picture in the slot.
  ///   - damage: the changes since the last present; parts outside the picture are ignored.
  /// - Returns: the frame's number.
  @discardableResult
  public func present(
    _ slot: FrameSlot, _ picture: FrameLayout, damage: Damage = .full
  ) throws(GuestError) -> UInt64 {
    let frame: UInt64
    do throws(RegionPresentError) {
      frame = try region.present(slot.index, picture, damage: damage, readyNanoseconds: monotonicNanoseconds())
    } catch {
      throw GuestError(error)
    }
    if region.wantsDoorbell() { doorbells.ring(region.doorbellValue) }
    return frame
  }

  /// Waits until the host holds at most `count` slots; the last frame's slot stays on screen.
  public func waitUntilHeld(atMost count: Int = 1, timeoutMilliseconds: Int = 5000) throws(GuestError) {
    try wait(timeoutMilliseconds) { region.heldCount <= count }
  }

  /// Reads the host's events without waiting.
  public func readEvents() {
    // Bounded, so that a host that writes endlessly does not block this side.
    for _ in 0..<256 {
      guard let event = region.nextEvent() else { return }
      if case .done(_, _, let outcome, let time, _) = event {
        switch outcome {
        case .flipped:
          flippedCount += 1
          lastFlipNanoseconds = time
        case .superseded: supersededCount += 1
        case .rejected, .lost: failedCount += 1
        }
      }
      onEvent?(event)
    }
  }

  private func wait(_ timeoutMilliseconds: Int, _ condition: () -> Bool) throws(GuestError) {
    readEvents()
    if condition() { return }
    let deadline = GuestScreen.deadline(timeoutMilliseconds)
    var backoff = Backoff()
    while true {
      let isHostThere = doorbells.wait(&backoff, until: deadline)
      readEvents()
      if condition() { return }
      if region.isDisplaced { throw .displaced }
      if !isHostThere || region.state == .ended { throw doorbells.failure ?? .hostFailed }
      if monotonicNanoseconds() >= deadline { throw .timedOut }
    }
  }
}
