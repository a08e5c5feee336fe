import CLinux
import Glibc

/// The kernel's device events (netlink, kobject uevent).
public struct UeventSocket: ~Copyable {
  /// The result of one receive call.
  public enum Received: Equatable, Sendable {
    /// An event of this many bytes: `ACTION@PATH`, then `KEY=value` strings, each terminated by a zero byte.
    case event(Int)
    /// The kernel dropped events because they were not read in time.
    case lost
    /// No event now.
    case nothing
  }

  /// The descriptor, readable when an event is there.
  public let fd: OwnedFD

  /// A socket that receives every event from now on.
  ///
  /// The corresponding C function is `socket(AF_NETLINK, …, NETLINK_KOBJECT_UEVENT)`.
  public init() throws(SystemError) {
    fd = OwnedFD(taking: try check("socket(NETLINK_KOBJECT_UEVENT)") { clinux_uevent_socket() })
  }

  /// Receives the next event; messages of other senders than the kernel are ignored.
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
