import CFramepathABI
import Scanout

/// `struct framepath_region_present` without its generation.
struct PresentEntry: RingPayload {
  static let wordCount = MemoryLayout<framepath_region_present>.size / 8 - 1
  static let damageCapacity = Int(FRAMEPATH_REGION_MAX_DAMAGE)

  private var words = InlineArray<31, UInt64>(repeating: 0)

  init() {}

  subscript(word: Int) -> UInt64 {
    get { words[word] }
    set { words[word] = newValue }
  }

  var frame: UInt64 {
    get { words[0] }
    set { words[0] = newValue }
  }
  var readyNanoseconds: UInt64 {
    get { words[1] }
    set { words[1] = newValue }
  }
  var slot: UInt32 {
    get { low(2) }
    set { setLow(2, newValue) }
  }
  var damageCount: UInt32 {
    get { high(2) }
    set { setHigh(2, newValue) }
  }
  var width: UInt32 {
    get { low(3) }
    set { setLow(3, newValue) }
  }
  var height: UInt32 {
    get { high(3) }
    set { setHigh(3, newValue) }
  }
  var strideBytes: UInt32 {
    get { low(4) }
    set { setLow(4, newValue) }
  }
  var fourcc: UInt32 {
    get { high(4) }
    set { setHigh(4, newValue) }
  }

  /// The damage of a picture with these bounds. No rectangles: everything; `damageCount` was checked.
  func damage(within bounds: Rect) -> Damage {
    if damageCount == 0 { return .full }
    var region = DamageRegion()
    for index in 0..<Int(damageCount) { region.add(rect(index).intersection(bounds)) }
    return .region(region)
  }

  /// Stores damage of a picture with these bounds. A single empty rectangle: nothing has changed.
  mutating func setDamage(_ damage: Damage, within bounds: Rect) {
    damageCount = 0
    guard case .region = damage else { return }
    let region = damage.clipped(to: bounds)
    guard (1...PresentEntry.damageCapacity).contains(region.count) else {
      damageCount = 1
      return setRect(0, region.bounds)
    }
    damageCount = UInt32(region.count)
    for index in 0..<region.count { setRect(index, region[index]) }
  }

  private func rect(_ index: Int) -> Rect {
    let word = 7 + index * 2
    return Rect(x: Int(low(word)), y: Int(high(word)), width: Int(low(word + 1)), height: Int(high(word + 1)))
  }

  private mutating func setRect(_ index: Int, _ rect: Rect) {
    let word = 7 + index * 2
    words[word] = UInt64(UInt32(clamping: rect.x)) | UInt64(UInt32(clamping: rect.y)) << 32
    words[word + 1] = UInt64(UInt32(clamping: rect.width)) | UInt64(UInt32(clamping: rect.height)) << 32
  }

  private func low(_ word: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[word]) }
  private func high(_ word: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[word] >> 32) }
  private mutating func setLow(_ word: Int, _ value: UInt32) {
    words[word] = words[word] & ~0xFFFF_FFFF | UInt64(value)
  }
  private mutating func setHigh(_ word: Int, _ value: UInt32) {
    words[word] = words[word] & 0xFFFF_FFFF | UInt64(value) << 32
  }
}

/// `struct framepath_region_release` without its generation.
struct ReleaseEntry: RingPayload {
  static let wordCount = MemoryLayout<framepath_region_release>.size / 8 - 1

  private var words = InlineArray<7, UInt64>(repeating: 0)

  init() {}

  subscript(word: Int) -> UInt64 {
    get { words[word] }
    set { words[word] = newValue }
  }

  init(event: RegionEvent) {
    switch event {
    case .done(let slot, let frame, let outcome, let time, let sequence):
      words[0] = frame
      words[1] = time
      words[2] = sequence
      words[3] = UInt64(FRAMEPATH_REGION_DONE.rawValue) | UInt64(UInt32(truncatingIfNeeded: slot)) << 32
      words[4] = UInt64(outcome.code) | UInt64(outcome.reason?.rawValue ?? 0) << 32
    case .released(let slot, let frame):
      words[0] = frame
      words[3] = UInt64(FRAMEPATH_REGION_RELEASED.rawValue) | UInt64(UInt32(truncatingIfNeeded: slot)) << 32
    }
  }

  /// The event, or nil if the numbers are not one.
  var event: RegionEvent? {
    let slot = Int(words[3] >> 32)
    switch UInt32(truncatingIfNeeded: words[3]) {
    case FRAMEPATH_REGION_DONE.rawValue:
      let code = UInt32(truncatingIfNeeded: words[4])
      guard let outcome = RegionOutcome(code: code, reason: UInt32(words[4] >> 32)) else { return nil }
      return .done(slot: slot, frame: words[0], outcome, timeNanoseconds: words[1], sequence: words[2])
    case FRAMEPATH_REGION_RELEASED.rawValue: return .released(slot: slot, frame: words[0])
    default: return nil
    }
  }
}
