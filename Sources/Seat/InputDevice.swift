import CLinux
import Glibc
import LinuxIO

/// An evdev input device. While it is grabbed, no other process receives its events: linux/input.h.
struct InputDevice: ~Copyable {
  /// The device's name, such as `AT Translated Set 2 keyboard`.
  let name: String
  let fd: OwnedFD
  private(set) var isGrabbed = false

  /// Opens a device.
  ///
  /// - Returns: nil for one without keys or buttons, and for one with power keys alone, which are the service
  ///   manager's: logind(8).
  static func open(_ path: String) throws(SystemError) -> InputDevice? {
    let device = InputDevice(try OwnedFD.open(path, flags: O_RDWR | O_NONBLOCK))
    if !device.hasOrdinaryKeys { return nil }
    return consume device
  }

  private init(_ fd: consuming OwnedFD) {
    var bytes = [CChar](repeating: 0, count: 256)
    let length = unsafe clinux_input_name(fd.raw, &bytes, bytes.count)
    let text = bytes.prefix(max(0, Int(length))).prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    name = text.isEmpty ? "a device without a name" : String(decoding: text, as: UTF8.self)
    self.fd = fd
  }

  /// KEY_POWER, KEY_SLEEP, KEY_WAKEUP, KEY_SUSPEND, KEY_RESTART: linux/input-event-codes.h.
  private static let powerKeys: Set<Int> = [116, 142, 143, 205, 0x198]
  /// KEY_CNT / 8.
  private static let keyByteCount = 96

  private var hasOrdinaryKeys: Bool {
    var bits = [UInt8](repeating: 0, count: InputDevice.keyByteCount)
    guard unsafe clinux_input_keys(fd.raw, &bits, bits.count) > 0 else { return false }
    return !InputDevice.keys(bits).isSubset(of: InputDevice.powerKeys)
  }

  /// The keys that are down.
  var heldKeys: Set<Int> {
    var bits = [UInt8](repeating: 0, count: InputDevice.keyByteCount)
    guard unsafe clinux_input_held(fd.raw, &bits, bits.count) > 0 else { return [] }
    return InputDevice.keys(bits)
  }

  /// Takes all events from now on. EBUSY: another program has done so.
  mutating func grab() throws(SystemError) {
    if isGrabbed { return }
    let raw = fd.raw
    try check("ioctl(EVIOCGRAB)", name) { clinux_input_grab(raw, 1) }
    isGrabbed = true
  }

  /// Lets others have the events again.
  mutating func release() {
    if isGrabbed { _ = clinux_input_grab(fd.raw, 0) }
    isGrabbed = false
  }

  /// Waits until no key is down: who reads the device now would miss the release.
  borrowing func waitForRelease(deadlineNanoseconds: UInt64) throws(SystemError) {
    var events: InlineArray<1024, UInt8> = .init(repeating: 0)
    while !heldKeys.isEmpty {
      let now = monotonicNanoseconds()
      guard now < deadlineNanoseconds else { return }
      let left = Int32(clamping: (deadlineNanoseconds - now + 999_999) / 1_000_000)
      let ready = try waitUntilReady(fd.raw, .readable, timeoutMilliseconds: left)
      guard ready.contains(.readable) else { return }
      // SAFETY: the call writes at most the array's size.
      unsafe withUnsafeMutableBytes(of: &events) { bytes in _ = unsafe read(fd.raw, bytes.baseAddress, bytes.count) }
    }
  }

  /// The numbers of the bits that are set.
  static func keys(_ bits: [UInt8]) -> Set<Int> {
    Set((0..<bits.count * 8).filter { bits[$0 / 8] >> UInt8($0 % 8) & 1 == 1 })
  }
}
