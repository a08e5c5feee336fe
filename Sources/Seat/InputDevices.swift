import Glibc
public import LinuxIO

/// The seat's keyboards, mice and other input devices, which are kept from everybody else.
public final class InputDevices {
  private let seat: String
  private let left: [String]
  private let log: (String) -> Void
  private var devices: [String: Held] = [:]
  private var listener: UeventListener?
  private var areGrabbed = false
  /// Expires when udev must have looked at a device that was plugged in.
  private let timer: TimerFD
  private let loop: EventLoop
  private var timerSource: EventLoop.Source?

  /// A reference, because a dictionary cannot hold a noncopyable value.
  private final class Held {
    var device: InputDevice
    init(_ device: consuming InputDevice) { self.device = device }
  }

  private static let folder = "/dev/input"

  /// No devices yet.
  ///
  /// - Parameters:
  ///   - seat: `seat0`, or another one that udev's ID_SEAT names.
  ///   - left: paths of devices, or of links to them, that other programs get.
  ///   - log: writes one line.
  public init(seat: String, leaving left: [String], loop: EventLoop, log: @escaping (String) -> Void)
    throws(SystemError)
  {
    self.seat = seat
    self.left = left
    self.loop = loop
    self.log = log
    timer = try TimerFD()
  }

  deinit { if let timerSource { loop.remove(timerSource) } }

  /// The number of grabbed devices.
  public var count: Int { devices.values.count { $0.device.isGrabbed } }

  /// Grabs all devices, and those that are plugged in from now on.
  ///
  /// Waits for at most one second until no key is held.
  public func start() {
    areGrabbed = true
    addAll(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000_000)
    do throws(SystemError) {
      timerSource = try loop.add(timer.fd.raw) { [unowned self] _ in
        timer.drain()
        forgetOthers()
      }
      listener = try UeventListener(loop: loop) { [unowned self] events, areSomeLost in
        if areSomeLost { addAll() }
        for event in events where event.subsystem == "input" && event.deviceName.hasPrefix("input/event") {
          changed("/dev/\(event.deviceName)", event.action)
        }
      }
    } catch { log("warning: input devices that are plugged in later are not kept from the console: \(error)") }
  }

  /// Lets others have the devices, while another terminal is shown.
  public func release() {
    areGrabbed = false
    for held in devices.values { held.device.release() }
  }

  /// Takes the devices back.
  public func grab() {
    areGrabbed = true
    for held in devices.values { grab(held) }
    addAll()
  }

  private func changed(_ path: String, _ action: String) {
    switch action {
    case "add":
      // At once, so that no key of it is missed; udev gives it a seat and links within a second.
      add(path)
      timer.arm(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000_000)
    case "remove": devices[path] = nil
    default: break
    }
  }

  /// Lets go of devices that turned out to be another seat's, or another program's.
  private func forgetOthers() {
    for path in devices.keys where isOfOthers(path) { devices[path] = nil }
  }

  private func addAll(deadlineNanoseconds: UInt64? = nil) {
    let names = (try? LinuxFile.list(InputDevices.folder)) ?? []
    for name in names.sorted() where name.hasPrefix("event") {
      add("\(InputDevices.folder)/\(name)", deadlineNanoseconds: deadlineNanoseconds)
    }
  }

  private func add(_ path: String, deadlineNanoseconds: UInt64? = nil) {
    if devices[path] != nil || isOfOthers(path) { return }
    do throws(SystemError) {
      guard let device = try InputDevice.open(path) else { return }
      if let deadlineNanoseconds { try device.waitForRelease(deadlineNanoseconds: deadlineNanoseconds) }
      let held = Held(device)
      devices[path] = held
      if areGrabbed { grab(held) }
    } catch { log("warning: \(path) is not kept from the console: \(error)") }
  }

  private func grab(_ held: Held) {
    do throws(SystemError) {
      try held.device.grab()
    } catch  where error.code == EBUSY {
      log("\(held.device.name) is grabbed by another program, which gets what is typed there")
    } catch {
      log("warning: \(held.device.name) is not kept from the console: \(error)")
    }
  }

  private func isOfOthers(_ path: String) -> Bool {
    if left.contains(where: { LinuxFile.resolved($0) == path }) { return true }
    return InputDevices.seat(of: path).map { $0 != seat } ?? (seat != InputDevices.defaultSeat)
  }

  /// The seat of devices that udev says nothing about.
  public static let defaultSeat = "seat0"

  /// The seat of a device; nil if udev does not know the device or its seat.
  ///
  /// - Parameter root: the directory of `sys` and `run`; empty for the host's own.
  static func seat(of path: String, root: String = "") -> String? {
    let name = path.split(separator: "/").last ?? ""
    guard let number = LinuxFile.text("\(root)/sys/class/input/\(name)/dev"),
      let data = LinuxFile.text("\(root)/run/udev/data/c\(number)")
    else { return nil }
    let key = "E:ID_SEAT="
    return data.split(separator: "\n").first { $0.hasPrefix(key) }.map { String($0.dropFirst(key.count)) }
  }
}
