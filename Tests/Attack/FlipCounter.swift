import LinuxIO

/// The number of frames that a guest's process has flipped, in memory that this process reads.
final class FlipCounter {
  /// The descriptor's number in the guest's process.
  static let childDescriptor: Int32 = 3
  private let mapping: Mapping
  let file: SharedFD

  init() throws(SystemError) {
    file = SharedFD(try MemFD.create(name: "flips", byteCount: pageByteCount))
    mapping = try Mapping(fd: file.raw, byteCount: pageByteCount)
  }

  /// The guest's end.
  init(inherited: Int32) throws(SystemError) {
    file = SharedFD(OwnedFD(taking: inherited))
    mapping = try Mapping(fd: inherited, byteCount: pageByteCount)
  }

  var count: UInt64 {
    get { mapping.base.load(as: UInt64.self) }
    set { mapping.base.storeBytes(of: newValue, as: UInt64.self) }
  }
}
