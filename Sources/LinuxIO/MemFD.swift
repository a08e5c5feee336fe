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
    let flags = UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING)
    let fd = OwnedFD(taking: try check("memfd_create", name) { unsafe clinux_memfd_create(name, flags) })
    let raw = fd.raw
    try check("ftruncate", "\(byteCount) bytes") { ftruncate(raw, byteCount) }
    let seals: Seals = [.shrink, .grow, .seal]
    try check("fcntl(F_ADD_SEALS)") { clinux_add_seals(raw, seals.rawValue) }
    return fd
  }

  /// A new memfd with the same seals that contains these bytes; they are written without a mapping.
  public static func create(name: String, containing bytes: [UInt8]) throws(SystemError) -> OwnedFD {
    let fd = try create(name: name, byteCount: bytes.count)
    try LinuxFile.write(bytes, to: fd.raw, subject: name)
    return fd
  }

  /// The seals of `fd`; nil if the file does not support seals.
  ///
  /// The corresponding C function is `fcntl(F_GET_SEALS)`.
  public static func seals(of fd: Int32) -> Seals? {
    let bits = clinux_get_seals(fd)
    return bits < 0 ? nil : Seals(rawValue: bits)
  }
}
