import LinuxIO
import Testing

@Suite("Event loop")
struct EventLoopTests {
  @Test func `a raised eventfd calls its handler once it is drained`() throws {
    let loop = try EventLoop()
    let event = try EventFD()
    var calls = 0
    let raw = event.fd.raw
    _ = try loop.add(raw) { readiness in
      #expect(readiness == .readable)
      calls += 1
    }

    #expect(try loop.runOnce(timeoutMilliseconds: 0) == 0)
    event.signal()
    #expect(try loop.runOnce(timeoutMilliseconds: 0) == 1)
    #expect(event.drain() == 1)
    #expect(try loop.runOnce(timeoutMilliseconds: 0) == 0)
    #expect(calls == 1)
  }

  @Test func `an event of a source that was removed in the same round is not delivered`() throws {
    let loop = try EventLoop()
    let first = try EventFD()
    let second = try EventFD()
    var calls = 0
    var sources: [EventLoop.Source] = []
    for raw in [first.fd.raw, second.fd.raw] {
      sources.append(
        try loop.add(raw) { _ in
          calls += 1
          for source in sources { loop.remove(source) }
        })
    }
    first.signal()
    second.signal()

    try loop.runOnce(timeoutMilliseconds: 0)

    #expect(calls == 1)
  }

  @Test func `a deadline fires once, and a cancelled one never`() throws {
    let loop = try EventLoop()
    var calls = 0
    loop.onDeadline = { calls += 1 }

    loop.deadlineNanoseconds = monotonicNanoseconds() + 1_000_000
    #expect(try loop.runOnce(timeoutMilliseconds: 60_000) == 0)
    #expect(calls == 1)
    #expect(loop.deadlineNanoseconds == nil)

    loop.deadlineNanoseconds = monotonicNanoseconds()
    loop.deadlineNanoseconds = nil
    try loop.runOnce(timeoutMilliseconds: 2)
    #expect(calls == 1)
  }

  @Test func `a reused slot does not get its former source's events`() throws {
    let loop = try EventLoop()
    let old = try EventFD()
    let new = try EventFD()
    let source = try loop.add(old.fd.raw) { _ in Issue.record("the removed source was called") }
    loop.remove(source)
    loop.remove(source)
    var calls = 0
    _ = try loop.add(new.fd.raw) { _ in calls += 1 }
    old.signal()
    new.signal()

    try loop.runOnce(timeoutMilliseconds: 0)

    #expect(calls == 1)
  }

  @Test func `a descriptor that is registered twice is refused and the loop continues`() throws {
    let loop = try EventLoop()
    let event = try EventFD()
    _ = try loop.add(event.fd.raw) { _ in }

    let raw = event.fd.raw
    #expect(throws: SystemError(call: "epoll_ctl(ADD)", code: 17)) { try loop.add(raw) { _ in } }
    event.signal()
    #expect(try loop.runOnce(timeoutMilliseconds: 0) == 1)
  }

  @Test func `a timer fires at its deadline, and at once when that has passed`() throws {
    let loop = try EventLoop()
    let timer = try TimerFD()
    let deadline = monotonicNanoseconds() + 2_000_000
    timer.arm(deadlineNanoseconds: deadline)
    _ = try loop.add(timer.fd.raw) { _ in loop.stop() }

    try loop.run()
    #expect(monotonicNanoseconds() >= deadline)
    #expect(timer.drain() == 1)

    timer.arm(deadlineNanoseconds: 0)
    #expect(try loop.runOnce(timeoutMilliseconds: 1000) == 1)
    timer.disarm()
    #expect(try loop.runOnce(timeoutMilliseconds: 0) == 0)
  }
}
