import FrameScheduler

/// Events in the order of their times; events of the same time in the order in which they were added.
struct EventQueue<Event> {
  private struct Entry {
    var time: Nanoseconds
    var order: UInt64
    var event: Event
  }

  private var heap: [Entry] = []
  private var count: UInt64 = 0

  var nextTime: Nanoseconds? { heap.first?.time }

  mutating func add(_ event: Event, at time: Nanoseconds) {
    heap.append(Entry(time: time, order: count, event: event))
    count += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(child, parent) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeFirst() -> (time: Nanoseconds, event: Event)? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return (first.time, first.event) }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, precedes(child + 1, child) { child += 1 }
      guard precedes(child, parent) else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return (first.time, first.event)
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    if heap[left].time != heap[right].time { return heap[left].time < heap[right].time }
    return heap[left].order < heap[right].order
  }
}
