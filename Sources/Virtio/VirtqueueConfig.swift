public import GuestMemory

/// The configuration of a split virtqueue before it runs. `activate` turns it into a `Virtqueue`.
public struct VirtqueueConfig: Equatable, Sendable {
  /// The largest ring of the specification.
  public static let maxSize = 32768

  /// Descriptors in the ring: a power of two up to 32768.
  public var size: UInt32
  /// The frontend's address of `virtq_desc[]`.
  public var descriptorTable: UInt64
  /// The frontend's address of `virtq_avail`.
  public var availRing: UInt64
  /// The frontend's address of `virtq_used`.
  public var usedRing: UInt64
  /// The avail index to start at: 0 for a fresh ring, else `Virtqueue.nextAvail` at the stop.
  public var nextAvail: UInt16
  /// The features that the driver accepted.
  public var features: VirtioFeatures

  /// A configuration as chosen by the driver.
  public init(
    size: UInt32, descriptorTable: UInt64, availRing: UInt64, usedRing: UInt64, nextAvail: UInt16 = 0,
    features: VirtioFeatures = []
  ) {
    self.size = size
    self.descriptorTable = descriptorTable
    self.availRing = availRing
    self.usedRing = usedRing
    self.nextAvail = nextAvail
    self.features = features
  }

  /// Checks the numbers against the guest's memory and starts the queue.
  public func activate(_ memory: GuestMemory) throws(VirtqueueError) -> Virtqueue {
    guard size > 0, size <= UInt32(VirtqueueConfig.maxSize), size & (size - 1) == 0 else { throw .badSize(size) }
    return Virtqueue(config: self, memory: memory, rings: try Rings(config: self, memory: memory))
  }
}
