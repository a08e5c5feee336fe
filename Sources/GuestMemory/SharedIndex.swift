public import Synchronization

/// A 16-bit number in memory that a guest writes too: a ring's `idx`, `flags`, `used_event` or `avail_event`.
@safe public struct SharedIndex {
  @usableFromInline let cell: UnsafePointer<Atomic<UInt16>>

  /// - Parameter address: 2-byte aligned, mapped for the life of this value.
  @unsafe public init(_ address: UnsafeRawPointer) {
    precondition(UInt(bitPattern: address) % 2 == 0, "a ring index is 2-byte aligned")
    unsafe cell = address.assumingMemoryBound(to: Atomic<UInt16>.self)
  }

  /// Reads it; what the other side wrote before storing it is visible afterwards.
  @inlinable public func loadAcquiring() -> UInt16 {
    UInt16(littleEndian: unsafe cell.pointee.load(ordering: .acquiring))
  }

  /// Reads it without ordering anything else.
  @inlinable public func loadRelaxed() -> UInt16 {
    UInt16(littleEndian: unsafe cell.pointee.load(ordering: .relaxed))
  }

  /// Writes it after everything written before.
  @inlinable public func storeReleasing(_ value: UInt16) {
    unsafe cell.pointee.store(value.littleEndian, ordering: .releasing)
  }

  /// Writes it without ordering anything else.
  @inlinable public func storeRelaxed(_ value: UInt16) {
    unsafe cell.pointee.store(value.littleEndian, ordering: .relaxed)
  }
}

/// Orders every store before it before every load after it.
///
/// Both sides of a ring need one between publishing their own index and reading whether the other side must be woken.
@inlinable public func fullMemoryFence() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
