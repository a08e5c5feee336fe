import GuestMemory
public import Virtio

/// One buffer of a chain, in guest memory.
public struct DriverBuffer: Sendable {
  /// Guest address of the first byte.
  public var address: UInt64
  /// Length in bytes.
  public var byteCount: Int
  /// Whether the device writes it.
  public var isWritable: Bool

  /// A buffer that the device reads.
  public static func readable(_ address: UInt64, _ byteCount: Int) -> DriverBuffer {
    DriverBuffer(address: address, byteCount: byteCount, isWritable: false)
  }

  /// A buffer that the device writes.
  public static func writable(_ address: UInt64, _ byteCount: Int) -> DriverBuffer {
    DriverBuffer(address: address, byteCount: byteCount, isWritable: true)
  }
}

/// The driver's side of a split virtqueue, as in a guest's kernel.
///
/// It follows the specification; a hostile driver uses the `set…` functions. For one thread.
public final class QueueDriver {
  /// Descriptors in the ring.
  public let size: Int
  /// Guest addresses of the ring's parts.
  public let descriptorTable: UInt64, availRing: UInt64, usedRing: UInt64
  /// The negotiated features.
  public let features: VirtioFeatures
  /// The avail index of the next chain.
  public private(set) var nextAvail: UInt16 = 0
  /// The number of chains made available and not yet used.
  public private(set) var inFlightCount = 0

  private let ram: GuestRAM
  private var free: [UInt16]
  private var chains: [[UInt16]]
  private var tables: [(address: UInt64, capacity: Int)]
  private var publishedAvail: UInt16 = 0
  private var kickedAvail: UInt16 = 0
  private var lastUsed: UInt16 = 0

  /// Lays out a ring of zeros in `ram`.
  public init(
    _ ram: GuestRAM, size: Int, features: VirtioFeatures = [.version1, .indirectDescriptors, .eventIndex]
  ) {
    self.ram = ram
    self.size = size
    self.features = features
    descriptorTable = ram.allocate(16 * size, alignment: 4096)
    availRing = ram.allocate(6 + 2 * size, alignment: 2)
    usedRing = ram.allocate(6 + 8 * size, alignment: 4096)
    free = (0..<UInt16(size)).reversed()
    chains = Array(repeating: [], count: size)
    tables = Array(repeating: (0, 0), count: size)
    reset()
  }

  /// Resets the ring, as a driver that restarts.
  public func reset() {
    ram.fill(descriptorTable, 16 * size)
    ram.fill(availRing, 6 + 2 * size)
    ram.fill(usedRing, 6 + 8 * size)
    free = (0..<UInt16(size)).reversed()
    (nextAvail, publishedAvail, kickedAvail, lastUsed, inFlightCount) = (0, 0, 0, 0, 0)
  }

  /// The ring's configuration, as the frontend sends it to the device.
  public func config(nextAvail: UInt16 = 0) -> VirtqueueConfig {
    VirtqueueConfig(
      size: UInt32(size), descriptorTable: ram.userAddress + descriptorTable, availRing: ram.userAddress + availRing,
      usedRing: ram.userAddress + usedRing, nextAvail: nextAvail, features: features)
  }

  /// Starts both indices of a fresh ring at `index`, to test the wrap at 65536.
  public func start(at index: UInt16) {
    (nextAvail, publishedAvail, kickedAvail, lastUsed) = (index, index, index, index)
    ram.index(availRing + 2).storeReleasing(index)
    ram.index(usedRing + 2).storeReleasing(index)
    ram.index(availRing + 4 + 2 * UInt64(size)).storeReleasing(index)
  }

  // MARK: Requests

  /// Adds a chain to the ring without publishing it; nil if the ring is full.
  ///
  /// - Parameter indirect: use an indirect table, which takes one descriptor of the ring.
  /// - Returns: the chain's head.
  public func add(_ buffers: [DriverBuffer], indirect: Bool = false) -> UInt16? {
    let needed = indirect ? 1 : buffers.count
    guard needed > 0, free.count >= needed else { return nil }
    var taken: [UInt16] = []
    for _ in 0..<needed { taken.append(free.removeLast()) }
    let head = taken[0]
    if indirect {
      let table = indirectTable(for: head, count: buffers.count)
      for (index, buffer) in buffers.enumerated() {
        let isLast = index == buffers.count - 1
        ram.setDescriptor(
          table, index, address: buffer.address, byteCount: UInt32(truncatingIfNeeded: buffer.byteCount),
          flags: (isLast ? 0 : 1) | (buffer.isWritable ? 2 : 0), next: isLast ? 0 : UInt16(index + 1))
      }
      setDescriptor(Int(head), address: table, byteCount: UInt32(16 * buffers.count), flags: 4, next: 0)
    } else {
      for (index, buffer) in buffers.enumerated() {
        let isLast = index == buffers.count - 1
        setDescriptor(
          Int(taken[index]), address: buffer.address, byteCount: UInt32(truncatingIfNeeded: buffer.byteCount),
          flags: (isLast ? 0 : 1) | (buffer.isWritable ? 2 : 0), next: isLast ? 0 : taken[index + 1])
      }
    }
    chains[Int(head)] = taken
    setAvail(nextAvail, head: head)
    nextAvail &+= 1
    inFlightCount += 1
    return head
  }

  /// Publishes added chains.
  ///
  /// - Returns: whether the device requests a kick.
  @discardableResult
  public func publish() -> Bool {
    ram.index(availRing + 2).storeReleasing(nextAvail)
    publishedAvail = nextAvail
    fullMemoryFence()
    let old = kickedAvail
    kickedAvail = publishedAvail
    guard features.contains(.eventIndex) else { return ram.index(usedRing).loadRelaxed() & 1 == 0 }
    let event = ram.index(usedRing + 4 + 8 * UInt64(size)).loadRelaxed()
    return publishedAvail &- event &- 1 < publishedAvail &- old
  }

  /// The next answer, or nil; its descriptors are free again.
  public func takeUsed() -> (head: UInt16, writtenByteCount: UInt32)? {
    guard ram.index(usedRing + 2).loadAcquiring() != lastUsed else { return nil }
    let entry = Int(usedRing) + 4 + 8 * Int(lastUsed & UInt16(size - 1))
    let head = unsafe UInt16(
      truncatingIfNeeded: UInt32(littleEndian: ram.bytes.load(fromByteOffset: entry, as: UInt32.self)))
    let written = unsafe UInt32(littleEndian: ram.bytes.load(fromByteOffset: entry + 4, as: UInt32.self))
    lastUsed &+= 1
    if Int(head) < size {
      free.append(contentsOf: chains[Int(head)].reversed())
      chains[Int(head)].removeAll(keepingCapacity: true)
    }
    inFlightCount -= 1
    return (head, written)
  }

  /// Enables or disables the interrupt for the next answer.
  ///
  /// - Returns: whether an answer is already available.
  @discardableResult
  public func setInterrupts(_ enabled: Bool) -> Bool {
    if features.contains(.eventIndex) {
      setUsedEvent(enabled ? lastUsed : lastUsed &- 1)
    } else {
      ram.index(availRing).storeRelaxed(enabled ? 0 : 1)
    }
    fullMemoryFence()
    return ram.index(usedRing + 2).loadAcquiring() != lastUsed
  }

  // MARK: Raw parts, for drivers that break the rules

  /// Writes `virtq_desc[index]`.
  public func setDescriptor(_ index: Int, address: UInt64, byteCount: UInt32, flags: UInt16, next: UInt16) {
    ram.setDescriptor(descriptorTable, index, address: address, byteCount: byteCount, flags: flags, next: next)
  }

  /// Writes `avail.ring[index % size]`.
  public func setAvail(_ index: UInt16, head: UInt16) {
    ram.index(availRing + 4 + 2 * UInt64(index & UInt16(size - 1))).storeRelaxed(head)
  }

  /// Writes `avail.idx`.
  public func setAvailIndex(_ index: UInt16) { ram.index(availRing + 2).storeReleasing(index) }

  /// Writes `avail.used_event`.
  public func setUsedEvent(_ index: UInt16) { ram.index(availRing + 4 + 2 * UInt64(size)).storeRelaxed(index) }

  /// `used.idx`.
  public var usedIndex: UInt16 { ram.index(usedRing + 2).loadAcquiring() }

  /// Makes a hand-written chain at `head` available.
  public func expose(head: UInt16) {
    setAvail(nextAvail, head: head)
    nextAvail &+= 1
    setAvailIndex(nextAvail)
  }

  private func indirectTable(for head: UInt16, count: Int) -> UInt64 {
    if tables[Int(head)].capacity < count {
      tables[Int(head)] = (ram.allocate(16 * count, alignment: 16), count)
    }
    return tables[Int(head)].address
  }
}
