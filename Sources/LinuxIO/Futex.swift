import CLinux
import Synchronization

/// A 32-bit word that threads of this process can sleep on, in its own cache line.
///
/// Reads acquire, writes release, and changes do both.
@safe public struct Futex: ~Copyable, @unchecked Sendable {
  private static let cacheLineBytes = 64
  private let cell: UnsafeMutablePointer<Atomic<UInt32>>

  /// A word that holds `value`.
  public init(_ value: UInt32 = 0) {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: Futex.cacheLineBytes, alignment: Futex.cacheLineBytes)
    unsafe cell = memory.bindMemory(to: Atomic<UInt32>.self, capacity: 1)
    unsafe cell.initialize(to: Atomic(value))
  }

  deinit {
    unsafe cell.deinitialize(count: 1)
    unsafe cell.deallocate()
  }

  /// The word's value.
  public func load() -> UInt32 { unsafe cell.pointee.load(ordering: .acquiring) }

  /// Sets the word.
  public func store(_ value: UInt32) { unsafe cell.pointee.store(value, ordering: .releasing) }

  /// Sets the word if it holds `expected`; returns the value before.
  public func exchange(_ expected: UInt32, for value: UInt32) -> UInt32 {
    unsafe cell.pointee.compareExchange(expected: expected, desired: value, ordering: .acquiringAndReleasing).original
  }

  /// Adds to the word, wrapping around; returns the new value.
  @discardableResult
  public func add(_ value: UInt32) -> UInt32 {
    unsafe cell.pointee.wrappingAdd(value, ordering: .acquiringAndReleasing).newValue
  }

  /// Subtracts from the word, wrapping around; returns the new value.
  @discardableResult
  public func subtract(_ value: UInt32) -> UInt32 {
    unsafe cell.pointee.wrappingSubtract(value, ordering: .acquiringAndReleasing).newValue
  }

  /// Sets bits of the word; returns the new value.
  @discardableResult
  public func insert(_ bits: UInt32) -> UInt32 {
    unsafe cell.pointee.bitwiseOr(bits, ordering: .acquiringAndReleasing).newValue
  }

  /// Clears bits of the word; returns the new value.
  @discardableResult
  public func remove(_ bits: UInt32) -> UInt32 {
    unsafe cell.pointee.bitwiseAnd(~bits, ordering: .acquiringAndReleasing).newValue
  }

  /// Sleeps while the word holds `value`. May also return spuriously.
  ///
  /// The corresponding system call is `futex(FUTEX_WAIT_PRIVATE)`.
  public func wait(while value: UInt32) { _ = unsafe clinux_futex_wait(cell, value) }

  /// Wakes at most `count` threads that sleep on the word.
  ///
  /// The corresponding system call is `futex(FUTEX_WAKE_PRIVATE)`.
  public func wake(_ count: Int) { _ = unsafe clinux_futex_wake(cell, Int32(clamping: count)) }
}
