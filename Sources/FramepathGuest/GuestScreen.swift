public import GraphicsMemory
public import HybridRegion
import Ivshmem
import LinuxIO
public import Scanout

/// Where a region is.
public enum RegionPlace: Equatable, Sendable {
  /// The ivshmem device of that number (0 is the first) on this machine's PCI bus.
  case device(Int)
  /// The socket of `framepath-ivshmem`: a container or a process of the host.
  case socket(String)
  /// The daemon's own socket, where this process is a client of that name and brings a region of its own.
  case daemon(String, name: String)
  /// A file that is the region's memory; nobody rings.
  case file(String)
}

/// A frame slot to draw into.
@safe public struct FrameSlot {
  /// Its number.
  public let index: Int
  /// Its memory, valid while the screen lives and until the slot is presented or abandoned. Write-only in effect: it
  /// may be write-combined, and reading it is slow then.
  public let pixels: UnsafeMutableRawBufferPointer
  /// How many presents ago its picture was new: 1 is the last one; 0: its content is unknown.
  public let age: Int
}

/// A guest's screen: draw into a slot, present it, wait for the next.
///
/// Used from one thread.
public final class GuestScreen {
  private let region: RegionGuest
  private let doorbells: Doorbells
  private let lock: OwnedFD?
  /// Called for everything that the host says.
  public var onEvent: ((RegionEvent) -> Void)?
  /// When the last flip was: the host's CLOCK_MONOTONIC.
  public private(set) var lastFlipNanoseconds: UInt64 = 0
  /// Frames that were shown.
  public private(set) var flippedCount: UInt64 = 0
  /// Frames that a newer one replaced before they were shown.
  public private(set) var supersededCount: UInt64 = 0
  /// Frames that the host refused or lost.
  public private(set) var failedCount: UInt64 = 0

  /// Opens the region, keeps other clients of this machine out, and begins.
  ///
  /// - Parameter timeoutMilliseconds: for the host's answer. A host that polls looks once a second.
  public init(_ place: RegionPlace = .device(0), timeoutMilliseconds: Int = 5000) throws(GuestError) {
    switch place {
    case .device(let number):
      let devices = PCIDevice.all()
      guard devices.indices.contains(number) else {
        throw .noDevice("this machine has \(devices.count) ivshmem devices (PCI 1af4:1110)")
      }
      let device = devices[number]
      let file = try GuestScreen.lockedFile(device.memoryPath)
      // A device that VFIO has opened is enabled; a bound one cannot be otherwise.
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
        throw .system(SystemError(call: "region", code: 22, subject: "its memory is not sealed against shrinking"))
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

  /// A header that makes no sense is looked at again for a while: a former client may have written over it, and the
  /// host makes it whole within a second.
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
      mapping = try Mapping(fd: fd, byteCount: fileByteCount(fd))
    } catch {
      throw .system(error)
    }
    do throws(RegionError) {
      return try RegionGuest(mapping, isWeaklyOrdered: isWeaklyOrdered)
    } catch {
      throw .region(error)
    }
  }

  /// A device whose registers cannot be mapped is polled.
  private static func registers(_ device: PCIDevice, _ interrupt: GuestInterrupt?) -> Doorbells {
    do throws(SystemError) {
      let file = try OwnedFD.open(device.registersPath, flags: OpenFlags.registers)
      return RegisterDoorbells(try Mapping(fd: file.raw, byteCount: pageByteCount), interrupt: interrupt)
    } catch {
      return Doorbells()
    }
  }

  /// nil where the device is not VFIO's, or VFIO does not give it: then the guest polls.
  private static func interrupt(_ device: PCIDevice) -> GuestInterrupt? {
    do throws(SystemError) {
      guard let opened = try VFIOInterrupt.open(device) else { return nil }
      return GuestInterrupt(opened)
    } catch {
      return nil
    }
  }

  /// Whether the host wakes this side, rather than being polled.
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
      guard doorbells.wait(&backoff, until: deadline) else { throw .hostFailed }
    }
  }

  private static func deadline(_ timeoutMilliseconds: Int) -> UInt64 {
    monotonicNanoseconds() + UInt64(clamping: timeoutMilliseconds) * 1_000_000
  }

  // MARK: - Drawing

  /// The VM's name.
  public var name: String { region.name }

  /// The mode of the output, or nil where there is no monitor now.
  public var output: RegionOutput? { region.output }

  /// What stands behind the region.
  public var state: RegionHostState { region.state }

  /// Bytes of a slot: the most that a picture may take.
  public var slotByteCount: Int { region.layout.slotByteCount }

  /// How many slots there are.
  public var slotCount: Int { region.layout.slotCount }

  /// Entries that the host refused since this client began.
  public var refusalCount: Int { region.refusalCount }

  /// A picture layout for a slot: rows begin at multiples of 256 bytes, which display hardware takes.
  public func layout(width: Int, height: Int, format: PixelFormat = .xrgb8888) -> FrameLayout? {
    let (row, overflow) = width.multipliedReportingOverflow(by: PixelFormat.bytesPerPixel)
    guard width > 0, !overflow, row <= 1 << 20 else { return nil }
    return FrameLayout(width: width, height: height, strideBytes: (row + 255) / 256 * 256, format: format)
  }

  /// Takes a free slot; waits for one.
  ///
  /// - Throws: `.timedOut` where the host released none in time.
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

  /// Gives a slot back unpresented.
  public func abandon(_ slot: FrameSlot) { region.abandon(slot.index) }

  /// Hands a slot over.
  ///
  /// - Parameters:
  ///   - picture: how it lies in the slot.
  ///   - damage: what changed since the last present; empty means everything.
  /// - Returns: the frame's number.
  @discardableResult
  public func present(
    _ slot: FrameSlot, _ picture: FrameLayout, damage: DamageRegion = DamageRegion()
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

  /// Waits until at most `count` slots are the host's; the last frame's stays on screen.
  public func waitUntilHeld(atMost count: Int = 1, timeoutMilliseconds: Int = 5000) throws(GuestError) {
    try wait(timeoutMilliseconds) { region.heldCount <= count }
  }

  /// Reads what the host has said, without waiting.
  public func readEvents() {
    // A host that writes without end does not keep this side busy.
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
      if !isHostThere || region.state == .ended { throw .hostFailed }
      if monotonicNanoseconds() >= deadline { throw .timedOut }
    }
  }
}
