import CLinux
import Glibc

/// Anonymous shared memory files.
public enum MemFD {
  /// The seals of a memfd, as in `fcntl(2)`.
  public struct Seals: OptionSet, Sendable {
    /// The `F_SEAL_*` bits.
    public let rawValue: Int32
    /// A set of seals from its bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// F_SEAL_SEAL: no further seals.
    public static let seal = Seals(rawValue: Int32(CLINUX_F_SEAL_SEAL))
    /// F_SEAL_SHRINK: the file cannot shrink, so accessing a mapping of it never raises SIGBUS.
    public static let shrink = Seals(rawValue: Int32(CLINUX_F_SEAL_SHRINK))
    /// F_SEAL_GROW.
    public static let grow = Seals(rawValue: Int32(CLINUX_F_SEAL_GROW))
    /// F_SEAL_WRITE.
    public static let write = Seals(rawValue: Int32(CLINUX_F_SEAL_WRITE))
  }

  /// A new memfd of fixed size, sealed against shrinking and growing.
  ///
  /// The corresponding C function is `memfd_create`.
  /// - Parameters:
  ///   - name: shown in /proc/PID/maps.
  ///   - byteCount: size in bytes.
  public static func create(name: String, byteCount: Int) throws(SystemError) -> OwnedFD {
    let fd = try createEmpty(name: name)
    let raw = fd.raw
    try check("ftruncate", "\(byteCount) bytes") { ftruncate(raw, byteCount) }
    try seal(raw, [.shrink, .grow, .seal])
    return fd
  }

  /// A new memfd of size 0 without seals; it grows with what is written to it.
  ///
  /// The corresponding C function is `memfd_create`.
  /// - Parameter name: shown in /proc/PID/maps.
  public static func createEmpty(name: String) throws(SystemError) -> OwnedFD {
    let flags = UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING)
    return OwnedFD(taking: try check("memfd_create", name) { unsafe clinux_memfd_create(name, flags) })
  }

  /// A new memfd that contains these bytes, written without a mapping, sealed against shrinking and growing.
  public static func create(name: String, containing bytes: [UInt8]) throws(SystemError) -> OwnedFD {
    let fd = try createEmpty(name: name)
    try append(bytes, to: fd.raw)
    try seal(fd.raw, [.shrink, .grow, .seal])
    return fd
  }

  /// Adds seals to a memfd.
  ///
  /// The corresponding C function is `fcntl(F_ADD_SEALS)`.
  public static func seal(_ fd: Int32, _ seals: Seals) throws(SystemError) {
    try check("fcntl(F_ADD_SEALS)") { clinux_add_seals(fd, seals.rawValue) }
  }

  /// Writes bytes at the end of a memfd, by the kernel and without a mapping.
  public static func append(_ bytes: [UInt8], to fd: Int32) throws(SystemError) {
    try LinuxFile.write(bytes, to: fd, subject: "memfd")
  }

  /// The seals of `fd`; nil if the file does not support seals.
  ///
  /// The corresponding C function is `fcntl(F_GET_SEALS)`.
  public static func seals(of fd: Int32) -> Seals? {
    let bits = clinux_get_seals(fd)
    return bits < 0 ? nil : Seals(rawValue: bits)
  }
}
