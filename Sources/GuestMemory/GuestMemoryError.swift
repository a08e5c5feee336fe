public import LinuxIO

/// Why a table of guest memory was refused. Nothing of the table before has changed then.
public enum GuestMemoryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A region of 0 bytes.
  case emptyRegion(guestAddress: UInt64)
  /// Address, length or file offset run past 64 bits.
  case regionOverflows(guestAddress: UInt64, userAddress: UInt64, byteCount: UInt64, fileOffset: UInt64)
  /// Two regions share guest addresses.
  case regionsOverlap(guestAddress: UInt64, otherGuestAddress: UInt64)
  /// More regions than `GuestMemory.maxRegionCount`.
  case tooManyRegions(Int)
  /// The file ends before the region does: touching the rest would kill this process.
  case fileTooShort(guestAddress: UInt64, neededByteCount: Int, fileByteCount: Int)
  /// The file may shrink under the mapping, which would kill this process: it lacks F_SEAL_SHRINK.
  case notSealed(guestAddress: UInt64)
  /// `removeRegion` names a region that is not there.
  case noSuchRegion(guestAddress: UInt64, byteCount: UInt64)
  /// A system call refused the file.
  case system(SystemError)

  /// One line with the numbers, and what to do where the user can do something.
  public var description: String {
    switch self {
    case .emptyRegion(let address): "guest memory region at \(hex(address)) has 0 bytes"
    case .regionOverflows(let guest, let user, let byteCount, let offset):
      "guest memory region at \(hex(guest)) (user address \(hex(user))) of \(hex(byteCount)) bytes at file offset "
        + "\(hex(offset)) runs past 64 bits"
    case .regionsOverlap(let address, let other): "guest memory regions at \(hex(address)) and \(hex(other)) overlap"
    case .tooManyRegions(let count):
      "\(count) guest memory regions are more than the \(GuestMemory.maxRegionCount) allowed"
    case .fileTooShort(let address, let needed, let has):
      "guest memory region at \(hex(address)) needs \(needed) bytes of a file of \(has)"
    case .notSealed(let address):
      "the file of the guest memory region at \(hex(address)) may shrink: give the VM its memory with "
        + "-object memory-backend-memfd,share=on,seal=on"
    case .noSuchRegion(let address, let byteCount):
      "no guest memory region at \(hex(address)) of \(hex(byteCount)) bytes"
    case .system(let error): "guest memory: \(error)"
    }
  }
}

/// `0x`, then the digits.
func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
