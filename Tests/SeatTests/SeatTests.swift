import LinuxIO
import TestSupport
import Testing

@testable import Seat

/// Terminals and devices themselves are tried in the lab: SeatOnCardTests.
@Suite struct SeatTests {
  @Test func `a device's seat is udev's, and unknown without udev`() throws {
    try withTemporaryDirectory { root in
      try makeFiles(
        root,
        [
          "sys/class/input/event3/dev": "13:67\n",
          "run/udev/data/c13:67": "I:1\nE:ID_INPUT=1\nE:ID_SEAT=seat-left\nG:seat\n",
        ])
      #expect(InputDevices.seat(of: "/dev/input/event3", root: root) == "seat-left")
      #expect(InputDevices.seat(of: "/dev/input/event4", root: root) == nil)
    }
  }

  @Test func `the numbers of set bits are those of keys`() {
    #expect(InputDevice.keys([0b0000_0010, 0, 0b1000_0001]) == [1, 16, 23])
    #expect(InputDevice.keys([]).isEmpty)
  }

  @Test func `what the guard is told survives the command line, and anything else is refused`() throws {
    let task = ConsoleGuard.Task(daemon: 4711, terminal: 7, previous: 1, keyboard: 3)
    #expect(task.text == "4711,7,1,3")
    #expect(ConsoleGuard.Task(task.text) == task)
    for text in ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,99999999999"] { #expect(ConsoleGuard.Task(text) == nil) }
    #expect(throws: SystemError.self) { try ConsoleGuard.run("nonsense") }
  }

  @Test func `a terminal without text or keys is abandoned unless a program has it open`() {
    var state = ConsoleState(terminal: 7, isActive: true, isGraphics: true, isKeyboardOff: true, holders: [])
    #expect(state.isAbandoned)
    state.holders = [FileOpener(pid: 9, program: "weston")]
    #expect(!state.isAbandoned)
    #expect(
      !ConsoleState(terminal: 1, isActive: true, isGraphics: false, isKeyboardOff: false, holders: []).isAbandoned)
  }

  @Test func `the processes that have a file open are found`() throws {
    try withTemporaryDirectory { root in
      try makeFiles(root, ["file": ""])
      #expect(FileOpener.all(of: "\(root)/file").isEmpty)
      var command = ChildCommand("sleep", ["60"])
      command.output = .file("\(root)/file")
      let child = try ChildProcess(command)
      let found = FileOpener.all(of: "\(root)/file")
      #expect(found.map(\.pid) == [child.pid])
      child.stop()
    }
  }
}
