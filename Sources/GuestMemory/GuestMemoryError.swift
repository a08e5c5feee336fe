public import LinuxIO

/// Why a memory table was refused. The former table stays in force.
public enum GuestMemoryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A region of 0 bytes.
  case emptyRegion(guestAddress: UInt64)
  /// Address, length or file offset exceed 64 bits.
  case regionOverflows(guestAddress: UInt64, userAddress: UInt64, byteCount: UInt64, fileOffset: UInt64)
  /// Two regions share guest addresses.
  case regionsOverlap(guestAddress: UInt64, otherGuestAddress: UInt64)
  /// More regions than `GuestMemory.maxRegionCount`.
  case tooManyRegions(Int)
  /// The file is shorter than the region: accessing the rest would raise SIGBUS.
  case fileTooShort(guestAddress: UInt64, neededByteCount: Int, fileByteCount: Int)
  /// The file lacks F_SEAL_SHRINK: if it shrank, accessing the mapping would raise SIGBUS.
  case notSealed(guestAddress: UInt64)
  /// `removeRegion` names an unknown region.
  case noSuchRegion(guestAddress: UInt64, byteCount: UInt64)
  /// Memory of the guest was missing when this process accessed it.
  case missing(guestAddress: UInt64)
  /// A system call refused the file.
  case system(SystemError)

  /// A message for the log, with the numbers and, if possible, the remedy.
  public var description: String {
    switch self {
    case .emptyRegion(let address): "guest memory region at \(hex(address)) has 0 bytes"
    case .regionOverflows(let guest, let user, let byteCount, let offset):
      "guest memory region at \(hex(guest)) (user address \(hex(user))) of \(hex(byteCount)) bytes at file offset "
        + "\(hex(offset)) exceeds 64 bits"
    case .regionsOverlap(let address, let other): "guest memory regions at \(hex(address)) and \(hex(other)) overlap"
    case .tooManyRegions(let count):
      "\(count) guest memory regions exceed the limit of \(GuestMemory.maxRegionCount) allowed"
    case .fileTooShort(let address, let needed, let has):
      "guest memory region at \(hex(address)) needs \(needed) bytes of a file of \(has)"
    case .notSealed(let address):
      "the file of the guest memory region at \(hex(address)) may shrink: give the VM its memory with "
        + "-object memory-backend-memfd,share=on,seal=on"
    case .noSuchRegion(let address, let byteCount):
      "no guest memory region at \(hex(address)) of \(hex(byteCount)) bytes"
    case .missing(let address):
      "guest memory at \(hex(address)) has been discarded, and the host has no free page for it: give the VM its huge "
        + "pages for good (prealloc=on, no balloon), or raise vm.nr_hugepages"
    case .system(let error): "guest memory: \(error)"
    }
  }
}

/// `0x`, then the digits.
func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
