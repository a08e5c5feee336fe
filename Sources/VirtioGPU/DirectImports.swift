/// Guest memory that the display has imported.
final class ImportedBuffer: ShownBuffer {
  /// Of the resource.
  let serial: UInt64
  let picture: Picture

  init(id: UInt32, serial: UInt64, picture: Picture) {
    self.serial = serial
    self.picture = picture
    super.init(id: id)
  }
}

/// The imports of one scanout: each picture of a resource is requested once, and the answer is kept.
struct DirectImports {
  /// The answer for a picture.
  enum Answer {
    case imported(ImportedBuffer)
    case refused(String)
  }

  private struct Entry {
    var serial: UInt64
    var picture: Picture
    var answer: Answer
  }

  /// More pictures than a guest flips between; a client of the daemon may have 256 buffers in all its scanouts.
  let capacity: Int
  /// The most recently requested last.
  private var entries: [Entry] = []
  /// The display did not answer; the next request is not sent before this time.
  private(set) var unavailableUntilNanoseconds: UInt64?
  private var unavailableCount: UInt64 = 0

  init(scanoutCount: Int) {
    capacity = max(4, min(16, 96 / scanoutCount))
    entries.reserveCapacity(capacity)
  }

  /// The display's answer for that picture; nil if it was not asked.
  func answer(serial: UInt64, picture: Picture) -> Answer? {
    for entry in entries where entry.serial == serial && entry.picture == picture { return entry.answer }
    return nil
  }

  /// The buffer of that name.
  func buffer(_ id: UInt32) -> ImportedBuffer? {
    for entry in entries {
      if case .imported(let buffer) = entry.answer, buffer.id == id { return buffer }
    }
    return nil
  }

  /// Whether the display may still read another picture than that one.
  func isReadingOther(than shown: ShownBuffer?) -> Bool {
    for entry in entries {
      if case .imported(let buffer) = entry.answer, buffer !== shown, buffer.isOnScreen { return true }
    }
    return false
  }

  /// Whether the display may read any picture, now or for a frame that it has not answered.
  var isReadingAny: Bool {
    for entry in entries {
      if case .imported(let buffer) = entry.answer, !buffer.isFree { return true }
    }
    return false
  }

  /// The display did not answer; an unanswered request delays the guest's other commands by up to a quarter of a
  /// second.
  mutating func noteUnavailable(atNanoseconds now: UInt64) {
    unavailableUntilNanoseconds = now &+ Device.importRetryNanoseconds << min(unavailableCount, 7)
    unavailableCount += 1
  }

  private mutating func forgetUnavailable() {
    unavailableUntilNanoseconds = nil
    unavailableCount = 0
  }

  /// Keeps an answer.
  ///
  /// - Returns: the evicted buffer: the oldest that is not being read, else the oldest.
  mutating func add(_ answer: Answer, serial: UInt64, picture: Picture) -> ImportedBuffer? {
    forgetUnavailable()
    var dropped: ImportedBuffer?
    if entries.count >= capacity {
      let index = entries.firstIndex { if case .imported(let buffer) = $0.answer { buffer.isFree } else { true } }
      if case .imported(let buffer) = entries.remove(at: index ?? 0).answer { dropped = buffer }
    }
    entries.append(Entry(serial: serial, picture: picture, answer: answer))
    return dropped
  }

  /// The output has changed, and may accept what was refused before.
  mutating func removeRefusals() {
    entries.removeAll { if case .refused = $0.answer { true } else { false } }
    forgetUnavailable()
  }

  /// Removes a resource's entries, or all for nil.
  ///
  /// - Parameter dropped: called with each removed buffer.
  mutating func remove(serial: UInt64?, dropped: (ImportedBuffer) -> Void) {
    var index = 0
    while index < entries.count {
      if let serial, entries[index].serial != serial {
        index += 1
      } else if case .imported(let buffer) = entries.remove(at: index).answer {
        dropped(buffer)
      }
    }
    if serial == nil { forgetUnavailable() }
  }
}
