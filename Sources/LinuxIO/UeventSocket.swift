import CLinux
import Glibc

/// The kernel's device events (netlink, kobject uevent).
public struct UeventSocket: ~Copyable {
  /// What one receive call brought.
  public enum Received: Equatable, Sendable {
    /// An event of so many bytes: `ACTION@PATH` and `KEY=value` strings, each ended by a zero byte.
    case event(Int)
    /// The kernel dropped events because nobody read them in time.
    case lost
    /// Nothing now.
    case nothing
  }

  /// The descriptor, readable once an event is there.
  public let fd: OwnedFD

  /// A socket that hears every event from now on.
  ///
  /// The corresponding C function is `socket(AF_NETLINK, …, NETLINK_KOBJECT_UEVENT)`.
  public init() throws(SystemError) {
    fd = OwnedFD(taking: try check("socket(NETLINK_KOBJECT_UEVENT)") { clinux_uevent_socket() })
  }

  /// Takes the next event; only the kernel's own are given out.
  public borrowing func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Received {
    let raw = fd.raw
    do throws(SystemError) {
      // SAFETY: the call writes at most buffer.count bytes.
      return .event(try check("recvfrom") { unsafe clinux_uevent_receive(raw, buffer.baseAddress, buffer.count) })
    } catch {
      switch error.code {
      case EAGAIN: return .nothing
      case ENOBUFS: return .lost
      default: throw error
      }
    }
  }
}
