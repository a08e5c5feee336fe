import CDRM
import Glibc
import LinuxIO

/// An atomic commit under construction: properties grouped by object, in storage that is allocated once.
///
/// Building and submitting do not allocate; `drmModeAtomicCommit` allocates at every call.
@safe struct AtomicRequest: ~Copyable {
  static let objectCapacity = 64
  static let propertyCapacity = 512

  private let objects: UnsafeMutablePointer<UInt32>
  private let counts: UnsafeMutablePointer<UInt32>
  private let properties: UnsafeMutablePointer<UInt32>
  private let values: UnsafeMutablePointer<UInt64>
  private(set) var objectCount = 0
  private(set) var propertyCount = 0
  /// More was added than the storage holds; submitting fails with E2BIG.
  private(set) var isOverfull = false

  init() {
    unsafe objects = .allocate(capacity: Self.objectCapacity)
    unsafe counts = .allocate(capacity: Self.objectCapacity)
    unsafe properties = .allocate(capacity: Self.propertyCapacity)
    unsafe values = .allocate(capacity: Self.propertyCapacity)
    unsafe objects.initialize(repeating: 0, count: Self.objectCapacity)
    unsafe counts.initialize(repeating: 0, count: Self.objectCapacity)
    unsafe properties.initialize(repeating: 0, count: Self.propertyCapacity)
    unsafe values.initialize(repeating: 0, count: Self.propertyCapacity)
  }

  deinit {
    unsafe objects.deallocate()
    unsafe counts.deallocate()
    unsafe properties.deallocate()
    unsafe values.deallocate()
  }

  /// Clears the request.
  mutating func reset() {
    objectCount = 0
    propertyCount = 0
    isOverfull = false
  }

  /// Begins an object: the properties that follow belong to it.
  mutating func begin(_ object: UInt32) {
    guard objectCount < Self.objectCapacity else {
      isOverfull = true
      return
    }
    // SAFETY: objectCount < objectCapacity.
    unsafe objects[objectCount] = object
    unsafe counts[objectCount] = 0
    objectCount += 1
  }

  /// Sets a property of the last object.
  mutating func set(_ property: UInt32, _ value: UInt64) {
    guard objectCount > 0, propertyCount < Self.propertyCapacity else {
      isOverfull = true
      return
    }
    // SAFETY: propertyCount < propertyCapacity, and objectCount is at least 1.
    unsafe properties[propertyCount] = property
    unsafe values[propertyCount] = value
    unsafe counts[objectCount - 1] += 1
    propertyCount += 1
  }

  /// Sets a property with a signed value.
  mutating func set(_ property: UInt32, signed value: Int) { set(property, UInt64(bitPattern: Int64(value))) }

  /// Submits the request to the kernel.
  ///
  /// - Parameters:
  ///   - flags: `DRM_MODE_ATOMIC_*` and `DRM_MODE_PAGE_FLIP_*`.
  ///   - userData: returned in the flip event.
  /// - Returns: 0, or the errno.
  borrowing func submit(_ device: CardDevice, flags: UInt32, userData: UInt64 = 0) -> Int32 {
    if isOverfull { return E2BIG }
    var argument = drm_mode_atomic()
    argument.flags = flags
    argument.count_objs = UInt32(objectCount)
    // SAFETY: the arrays hold objectCount and propertyCount elements, and live through the call.
    argument.objs_ptr = UInt64(UInt(bitPattern: unsafe objects))
    argument.count_props_ptr = UInt64(UInt(bitPattern: unsafe counts))
    argument.props_ptr = UInt64(UInt(bitPattern: unsafe properties))
    argument.prop_values_ptr = UInt64(UInt(bitPattern: unsafe values))
    argument.user_data = userData
    return unsafe drmIoctl(device.fd.raw, CDRM_IOCTL_MODE_ATOMIC, &argument) == 0 ? 0 : errno
  }

  /// The content of the request in order, for tests.
  var contents: [(object: UInt32, property: UInt32, value: UInt64)] {
    var result: [(object: UInt32, property: UInt32, value: UInt64)] = []
    var next = 0
    for object in 0..<objectCount {
      // SAFETY: the counts of all objects add up to propertyCount.
      for _ in 0..<(unsafe counts[object]) {
        unsafe result.append((objects[object], properties[next], values[next]))
        next += 1
      }
    }
    return result
  }
}
