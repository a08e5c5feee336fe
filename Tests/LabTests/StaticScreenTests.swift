import LinuxIO
import PresentClient
import PresentProtocol
import Sandbox
import Scanout
import StatusModel
import Testing

/// A static screen costs nothing: counted by the kernel, not timed.
@Suite("A static screen", .serialized)
struct StaticScreenTests {
  /// A daemon and its clients, all idle.
  private struct Still {
    let name: String
    let host: LabHost
    var guests: [CardGuest] = []
    var client: PresentClient?
    var processes: [Int32] { [host.daemonPID] + guests.flatMap { LaunchedWorkers.with($0.backend.pid) } }
  }

  /// How often the kernel has put a process's threads to sleep, or taken the processor from them. One that makes a
  /// system call and sleeps again counts one.
  private func switches(_ process: Int32) throws -> Int {
    var count = 0
    for thread in try LinuxFile.list("/proc/\(process)/task") {
      let text = String(decoding: try LinuxFile.read("/proc/\(process)/task/\(thread)/status"), as: UTF8.self)
      for line in text.split(separator: "\n") where line.contains("ctxt_switches") {
        count += try #require(line.split(separator: "\t").last.flatMap { Int($0) })
      }
    }
    return count
  }

  /// Guests of one picture each on one output.
  private func guests(_ count: Int, layout: String, isOff: Bool = false) throws -> Still {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    try host.framepath(["layout", layout])
    let guests = try (0..<count).map { try CardGuest(host: host, vm: "vm\($0)", width: 160, height: 120) }
    for guest in guests { try guest.flip(grey: 0x40) }
    if isOff { try host.framepath(["power", "off"]) }
    return Still(name: "\(count) VMs in \(layout)\(isOff ? ", the output off" : "")", host: host, guests: guests)
  }

  /// A client with a picture and a cursor.
  private func pointer(layout: String) throws -> Still {
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
    return Still(name: "a cursor in \(layout)", host: host, client: client)
  }

  @Test func `a static screen wakes no process in five seconds, in any layout, with and without a cursor`()
    throws
  {
    let layouts = ["single", "tile", "focus"]
    // All of them in parallel, to share the seconds in which nothing may happen.
    let stills =
      try [1, 16].flatMap { count in
        try layouts.map { try guests(count, layout: $0) } + [try guests(count, layout: "focus", isOff: true)]
      } + layouts.map { try pointer(layout: $0) }
    try LabHost.pause(milliseconds: 2500)
    let commits = try stills.map { try $0.host.status().outputs.map(\.commits) }
    try LabHost.pause(milliseconds: 300)
    let before = try stills.map { try $0.processes.map { try switches($0) } }
    try LabHost.pause(milliseconds: 5000)
    let after = try stills.map { try $0.processes.map { try switches($0) } }
    for (index, still) in stills.enumerated() {
      let woken = zip(before[index], after[index]).map { $1 - $0 }
      #expect(woken.allSatisfy { $0 == 0 }, "\(still.name): wake-ups in 5 s, the daemon's first: \(woken)")
      #expect(try still.host.status().outputs.map(\.commits) == commits[index], "\(still.name)")
      for guest in still.guests { guest.end() }
      still.client?.stop()
    }
  }
}
