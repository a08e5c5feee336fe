import CFramepathABI
import Ivshmem
import LinuxIO
import Synchronization

/// The doorbells between a guest and its host. This base class has none: both sides poll.
class Doorbells {
  /// Whether the guest rings the host.
  var rings: Bool { false }
  /// Whether the host can ring the guest.
  var listens: Bool { false }

  /// Wakes the host.
  func ring(_ value: UInt32) {}

  /// Why the host is gone, if a reason is known.
  var failure: GuestError? { nil }

  /// Waits for the host's doorbell, or for a growing time without one.
  ///
  /// - Returns: false if the host is known to be gone.
  func wait(_ backoff: inout Backoff, until deadline: UInt64) -> Bool {
    backoff.sleep(until: deadline)
    return true
  }
}

/// The device's doorbell register, and its interrupt if VFIO provides it; otherwise the host cannot ring.
@safe final class RegisterDoorbells: Doorbells {
  private let mapping: Mapping
  private let interrupt: GuestInterrupt?

  /// - Parameter mapping: of BAR 0.
  init(_ mapping: consuming Mapping, interrupt: GuestInterrupt?) {
    self.mapping = mapping
    self.interrupt = interrupt
  }

  override var rings: Bool { true }
  override var listens: Bool { interrupt != nil }

  override func wait(_ backoff: inout Backoff, until deadline: UInt64) -> Bool {
    guard let interrupt else { return super.wait(&backoff, until: deadline) }
    let now = monotonicNanoseconds()
    guard deadline > now else { return true }
    // A host that does not ring is polled ten times a second.
    let milliseconds = Int32(clamping: min((deadline - now + 999_999) / 1_000_000, 100))
    _ = try? waitUntilReady(interrupt.vfio.event.fd.raw, .readable, timeoutMilliseconds: milliseconds)
    interrupt.vfio.event.drain()
    return true
  }

  override func ring(_ value: UInt32) {
    // SAFETY: BAR 0 has 256 bytes, and a mapping is a page at least; 12 is a multiple of 4.
    let cell = unsafe (mapping.base + Int(FRAMEPATH_IVSHMEM_DOORBELL)).assumingMemoryBound(to: Atomic<UInt32>.self)
    unsafe cell.pointee.store(value.littleEndian, ordering: .releasing)
  }
}

/// Keeps a device open for its interrupt.
final class GuestInterrupt {
  let vfio: VFIOInterrupt

  init(_ vfio: consuming VFIOInterrupt) { self.vfio = vfio }
}

/// Eventfds, both ways.
final class ClientDoorbells: Doorbells {
  private let client: IvshmemClient

  init(_ client: consuming IvshmemClient) { self.client = client }

  override var rings: Bool { true }
  override var listens: Bool { true }

  override func ring(_ value: UInt32) { client.hostDoorbell.signal() }

  override func wait(_ backoff: inout Backoff, until deadline: UInt64) -> Bool {
    let now = monotonicNanoseconds()
    guard deadline > now else { return true }
    let milliseconds = Int32(clamping: min((deadline - now + 999_999) / 1_000_000, 100))
    _ = try? waitUntilReady(client.guestDoorbell.fd.raw, .readable, timeoutMilliseconds: milliseconds)
    client.guestDoorbell.drain()
    return client.isConnected()
  }
}

/// Growing sleeps while there are no events: from 50 µs to 2 ms.
struct Backoff {
  private var nanoseconds: UInt64 = 50_000

  mutating func sleep(until deadline: UInt64) {
    let now = monotonicNanoseconds()
    guard deadline > now else { return }
    sleepNanoseconds(min(nanoseconds, deadline - now))
    nanoseconds = min(nanoseconds * 2, 2_000_000)
  }
}
