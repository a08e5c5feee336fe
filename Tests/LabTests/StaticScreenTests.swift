import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import Testing

/// What is shown and does not change costs nothing: counted by the kernel, not timed.
@Suite("A static screen", .serialized)
struct StaticScreenTests {
  /// How often the kernel has put a process's threads to sleep, or taken the processor from them. One that makes a
  /// system call and sleeps again counts one.
  private func switches(_ processes: [Int32]) throws -> [Int32: Int] {
    var counts: [Int32: Int] = [:]
    for process in processes {
      let script = "cat /proc/\(process)/task/*/status"
      let text = try ChildProcess.run(ChildCommand("sh", ["-c", script])).output
      let lines = text.split(separator: "\n").filter { $0.contains("ctxt_switches") }
      counts[process] = try lines.reduce(0) { $0 + (try #require($1.split(separator: "\t").last.flatMap { Int($0) })) }
    }
    return counts
  }

  private func expectStill(
    _ host: LabHost, _ processes: [Int32], _ what: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    try LabHost.pause(milliseconds: 2500)
    let commits = try host.status().outputs.map(\.commits)
    try LabHost.pause(milliseconds: 300)
    let before = try switches(processes)
    try LabHost.pause(milliseconds: 5_000)
    let after = try switches(processes)
    for process in processes {
      let count = (after[process] ?? 0) - (before[process] ?? 0)
      let name = process == host.daemonPID ? "the daemon" : "a backend"
      #expect(count == 0, "\(what): \(name) woke \(count) times in 5 s", sourceLocation: location)
    }
    #expect(try host.status().outputs.map(\.commits) == commits, "\(what)", sourceLocation: location)
  }

  @Test(arguments: [1, 16])
  func `a static screen wakes neither the daemon nor a backend in five seconds, in any layout`(count: Int) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let guests = try (0..<count).map { try CardGuest(host: host, vm: "vm\($0)", width: 160, height: 120) }
    let processes = [host.daemonPID] + guests.map(\.backend.pid)
    for layout in ["single", "tile", "focus"] {
      try host.framepath(["layout", layout])
      for guest in guests { try guest.flip(grey: 0x40) }
      try expectStill(host, processes, "\(count) in \(layout)")
    }
    try host.framepath(["power", "off"])
    try expectStill(host, processes, "\(count) and the output off")
    for guest in guests { guest.end() }
  }

  @Test(arguments: ["single", "tile", "focus"])
  func `a static screen with a cursor wakes no process either`(layout: String) throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", layout])
    let loop = try EventLoop()
    let client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .vm, name: "pointer", scanoutCount: 1))
    try client.start()
    while client.output(0) == nil { try loop.runOnce(timeoutMilliseconds: 50) }
    let buffer = try client.createBuffer(scanout: 0, width: 640, height: 480, format: .xrgb8888)
    let cursor = try client.createBuffer(scanout: 0, width: 64, height: 64, format: .argb8888, usage: .cursor)
    client.present(
      PresentFrame(scanout: 0, frame: 1, bufferID: buffer.id, source: Rect(width: 640, height: 480), path: .copy))
    client.setCursor(scanout: 0, bufferID: cursor.id, x: 30, y: 40, hotX: 0, hotY: 0)
    try loop.runOnce(timeoutMilliseconds: 200)
    try expectStill(host, [host.daemonPID], "a cursor in \(layout)")
  }
}
