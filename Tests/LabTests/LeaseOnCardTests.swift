import CDRM
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel
import TestSupport
import Testing

/// DRM leases of the daemon's outputs, with a lessee of another process. Runs inside the lab's KMS VM with two heads.
@Suite("Leases on a card", .serialized, .enabled(if: Lab.card != nil))
struct LeaseOnCardTests {
  private let first = "Virtual-1"
  private let second = "Virtual-2"

  /// A daemon with both outputs, and a guest on each.
  private func stage() throws -> (LabHost, CardGuest, CardGuest) {
    let card = try #require(Lab.card)
    let host = try LabHost(outputs: ["kms:\(card):\(first):640x480", "kms:\(card):\(second):640x480"])
    let web = try CardGuest(host: host, vm: "web", width: 640, height: 480)
    try web.flip(grey: 0x21)
    let db = try CardGuest(host: host, vm: "db", width: 640, height: 480)
    try db.flip(grey: 0x31)
    #expect(try host.status().scanout(vm: "web").output == first)
    #expect(try host.status().scanout(vm: "db").output == second)
    return (host, web, db)
  }

  @Test
  func `a lessee's picture is shown in its mode, the neighbour continues, and the VM's is shown again at its end`()
    throws
  {
    let (host, web, db) = try stage()
    try web.flip(.noise(width: 640, height: 480, seed: 3))
    let lessee = try TestLessee(host, first)
    // A lessee must not see the VM's picture.
    try host.expect(output: first, shows: .solid(0, width: 640, height: 480))
    #expect(try lessee.ask("objects") == "1 connectors, 1 crtcs, 3 planes")
    #expect(try lessee.ask("hidden") == "0 hidden")
    let status = try host.status()
    #expect(status.outputs[0].lessee?.name == "test-lessee")
    #expect(status.outputs[1].lessee == nil)
    #expect(try host.framepath(["status"]).contains("leased to test-lessee (process"))

    #expect(try lessee.ask("show 800x600 3366cc") == "shown")
    try host.expect(output: first, shows: .solid(0x33_66cc, width: 800, height: 600))
    for grey in UInt8(0x40)..<0x5e { try db.flip(grey: grey) }
    try host.expect(output: second, shows: .solid(0x5d_5d5d, width: 640, height: 480))
    let neighbour = try host.status().scanout(vm: "db")
    #expect(neighbour.framesFlipped == neighbour.framesPresented)
    #expect(neighbour.copiedBytes == 0)
    try host.expect(output: first, shows: .solid(0x33_66cc, width: 800, height: 600))

    // The VM draws on unseen; what the lessee leaves on planes and in the colour tables does not stay.
    let picture = Picture.noise(width: 640, height: 480, seed: 4)
    try web.flip(picture)
    #expect(try lessee.ask("cursor ff0000") == "shown")
    #expect(try lessee.ask("overlay 00ff00") == "shown")
    print("lab: gamma by a lessee: \(try lessee.ask("gamma"))")
    #expect(try lessee.end("exit 7") == .status(7))
    try host.expect(output: first, shows: picture)
    #expect(try host.status().outputs[0].lessee == nil)
    #expect(try host.status().scanout(vm: "web").copiedBytes == 0)
    try web.flip(grey: 0x22)
    try host.expect(output: first, shows: .solid(0x22_2222, width: 640, height: 480))
    web.end()
    db.end()
    #expect(host.stop() == .status(0))
  }

  @Test func `after any end of a lease the VM's picture is the next one on screen, by the kernel's CRC`() throws {
    let (host, web, db) = try stage()
    let vms = FrameCRC.ofUniformFrame(grey: 0x21, width: 640, height: 480)
    let lessees = FrameCRC.ofUniformFrame(grey: 0x99, width: 640, height: 480)
    let crcs = try FrameCRCs()
    for ending in Ending.allCases {
      let lessee = try TestLessee(host, first)
      #expect(try lessee.ask("show 640x480 999999") == "shown")
      #expect(try crcs.wait(for: lessees).last == lessees)

      let begun = monotonicNanoseconds()
      switch ending {
      case .exit: try lessee.tell("exit 0")
      case .killCommand: try lessee.killCommand()
      case .killTool: lessee.process.kill()
      case .close: #expect(try lessee.ask("close") == "closed")
      case .revoke: try host.framepath(["lease", "--output", first, "--revoke"])
      case .maxHold: try host.framepath(["exclusive", "--output", first, "--max-hold", "1"])
      }
      let said = try crcs.wait(for: vms)
      print("lab: lease ended by \(ending): \((monotonicNanoseconds() - begun) / 1_000_000) ms to the VM's picture")
      // Without its framebuffers the screen may be black or off until the daemon notices; a second by its own clock.
      #expect(said.last == vms)
      #expect(said.count { $0 != lessees && $0 != vms } < 60)

      switch ending {
      case .exit: #expect(lessee.process.waitForExit(timeoutMilliseconds: 10_000) == .status(0))
      case .killCommand: #expect(lessee.process.waitForExit(timeoutMilliseconds: 10_000) == .status(137))
      case .killTool: break
      case .close:
        #expect(lessee.process.waitForLine(containing: "its descriptor was closed") != nil)
        #expect(try lessee.end("exit 3") == .status(3))
      case .revoke:
        #expect(lessee.process.waitForLine(containing: "the host took \(first) back") != nil)
        // It keeps the device open: its calls fail with ENOENT.
        #expect(try lessee.ask("again") == "failed SETCRTC 2")
        #expect(try lessee.ask("objects") == "0 connectors, 0 crtcs, 0 planes")
        // See Limits in Docs/Scheduler.md; a kernel that prevents this makes that statement wrong.
        #expect(try lessee.ask("readable") != "0 readable")
        #expect(try lessee.end("exit 0") == .status(0))
      case .maxHold:
        #expect(lessee.process.waitForLine(containing: "its limit of 1 s has expired and others wait") != nil)
        #expect(try lessee.ask("again") == "failed SETCRTC 2")
        #expect(try lessee.end("exit 0") == .status(0))
      }
      // The lessee's own frame buffers go with it, off no screen.
      #expect(try crcs.wait(for: vms).last == vms)
    }
    try host.expect(output: first, shows: .solid(0x21_2121, width: 640, height: 480))
    #expect(try host.status().scanout(vm: "web").copiedBytes == 0)
    web.end()
    db.end()
  }

  enum Ending: CaseIterable { case exit, killCommand, killTool, close, revoke, maxHold }

  @Test func `the daemon ends during a lease, and the card is free and the lease revoked`() throws {
    let (host, web, db) = try stage()
    let lessee = try TestLessee(host, second)
    #expect(try lessee.ask("show 640x480 3366cc") == "shown")
    web.end()
    #expect(host.stop() == .status(0))
    #expect(lessee.process.waitForLine(containing: "the lease of \(second) is over") != nil)
    #expect(try lessee.ask("again").hasPrefix("failed SETCRTC"))
    #expect(try lessee.end("exit 0") == .status(0))
    db.end()
    let after = try LabHost(outputs: ["kms:\(try #require(Lab.card)):\(second):640x480"])
    try after.expect(output: second, shows: .solid(0, width: 640, height: 480))
  }

  @Test func `a leased connector that is unplugged and plugged in again stays leased, and the VM returns to it`()
    throws
  {
    let (host, web, db) = try stage()
    let lessee = try TestLessee(host, first)
    #expect(try lessee.ask("show 640x480 3366cc") == "shown")
    try VKMS.plug(0, false)
    defer { try? VKMS.plug(0, true) }
    try web.waitForConfigChange()
    try db.flip(grey: 0x55)
    #expect(try lessee.ask("again") == "shown")
    try VKMS.plug(0, true)
    try web.waitForConfigChange()
    #expect(try lessee.ask("again") == "shown")
    try host.expect(output: first, shows: .solid(0x33_66cc, width: 640, height: 480))
    try web.flip(grey: 0x24)
    #expect(try lessee.end("exit 0") == .status(0))
    try host.expect(output: first, shows: .solid(0x24_2424, width: 640, height: 480))
    try host.expect(output: second, shows: .solid(0x55_5555, width: 640, height: 480))

    // The lease ends while nothing is plugged in.
    let late = try TestLessee(host, first)
    try VKMS.plug(0, false)
    try web.waitForConfigChange()
    #expect(try late.end("exit 0") == .status(0))
    try VKMS.plug(0, true)
    try web.waitForConfigChange()
    try web.flip(grey: 0x25)
    try host.expect(output: first, shows: .solid(0x25_2525, width: 640, height: 480))
    web.end()
    db.end()
    #expect(host.stop() == .status(0))
  }

  @Test func `a lessee whose last commit waits for a fence delays its own output only`() throws {
    let driver = try VGEM()
    let (host, web, db) = try stage()
    let vms = FrameCRC.ofUniformFrame(grey: 0x21, width: 640, height: 480)
    let lease = try PresentLease(of: first, name: "waiting", path: host.controlSocket)
    #expect(try lease.wait(milliseconds: 20_000))
    let device = try #require(lease.takeDevice())
    let crcs = try FrameCRCs()
    let (fence, syncFile) = try driver.fence()
    let made = monotonicNanoseconds()
    try LeaseOnCardTests.commit(after: syncFile, on: device.raw, plane: try #require(lease.leased).planeID)

    try PresentTool.perform(.revoke(output: first, ofLease: true), path: host.controlSocket)
    #expect(lease.ending() == "the host took \(first) back")
    for grey in UInt8(0x40)..<0x46 { try db.flip(grey: grey) }
    let isBack = crcs.drain().contains { $0.crc == vms }
    // The kernel signals the fence itself after 10 s, which a busy emulator may take.
    if monotonicNanoseconds() - made < 9_000_000_000 { #expect(!isBack) }
    driver.signal(fence)
    let isThere = try isBack || crcs.wait(for: vms).last == vms
    #expect(isThere)
    let neighbour = try host.status().scanout(vm: "db")
    #expect(neighbour.framesFlipped == neighbour.framesPresented)
    web.end()
    db.end()
    #expect(host.stop() == .status(0))
  }

  /// Shows another picture on a plane that shows one of 640 by 480 already, once the fence is signalled.
  private static func commit(after fence: SharedFD, on device: Int32, plane: UInt32) throws {
    var (handle, pitch, size, picture) = (UInt32(0), UInt32(0), UInt64(0), UInt32(0))
    guard drmSetClientCap(device, UInt64(DRM_CLIENT_CAP_ATOMIC), 1) == 0,
      drmModeCreateDumbBuffer(device, 640, 480, 32, 0, &handle, &pitch, &size) == 0,
      drmModeAddFB(device, 640, 480, 24, 32, pitch, handle, &picture) == 0,
      let list = drmModeObjectGetProperties(device, plane, 0xeeee_eeee), let request = drmModeAtomicAlloc()
    else { throw LabError("the leased device makes no picture") }
    defer {
      drmModeFreeObjectProperties(list)
      drmModeAtomicFree(request)
    }
    for index in 0..<Int(list.pointee.count_props) {
      guard let property = drmModeGetProperty(device, list.pointee.props[index]) else { continue }
      defer { drmModeFreeProperty(property) }
      let name = withUnsafeBytes(of: property.pointee.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let value: UInt64? = name == "FB_ID" ? UInt64(picture) : name == "IN_FENCE_FD" ? UInt64(fence.raw) : nil
      if let value { drmModeAtomicAddProperty(request, plane, property.pointee.prop_id, value) }
    }
    let code = drmModeAtomicCommit(device, request, UInt32(DRM_MODE_ATOMIC_NONBLOCK), nil)
    if code != 0 { throw LabError("the lessee's commit: \(code)") }
  }

  @Test func `a user whom the settings do not name is refused with the remedy, and allowed once they do`()
    throws
  {
    let card = try #require(Lab.card)
    let host = try LabHost(outputs: ["kms:\(card):\(first):640x480"])
    _ = try ChildProcess.run(ChildCommand("chmod", ["755", host.folder]))
    _ = try ChildProcess.run(ChildCommand("chmod", ["666", host.socket]))
    func asNobody(_ groups: [String] = ["--clear-groups"]) throws -> ChildResult {
      try ChildProcess.run(
        ChildCommand(
          "setpriv",
          ["--reuid=65534", "--regid=65534"] + groups + [
            Lab.program("framepath"), "lease", "--socket", host.socket, "--output", first, "--", "sh", "-c",
            "test -e /proc/self/fd/$FRAMEPATH_LEASE_FD && exit 5",
          ]), timeoutMilliseconds: 20_000)
    }
    let refused = try asNobody()
    #expect(refused.exit == .status(1))
    let words =
      "user 65534 may not lease \(first); to permit it, use the control socket, or set in framepathd's configuration"
    #expect(refused.error.contains(words), "\(refused.error)")
    #expect(refused.error.contains("[output.\(first)] lease = \"uid 65534\""), "\(refused.error)")
    try host.framepath(["lease", "--output", first, "--allow", "uid 65534"])
    #expect(try asNobody().exit == .status(5))
    // A further group counts.
    try host.framepath(["lease", "--output", first, "--allow", "gid 44"])
    #expect(try asNobody().exit == .status(1))
    #expect(try asNobody(["--groups=44"]).exit == .status(5))
    #expect(host.stop() == .status(0))
  }
}

/// `framepath lease` with the tests' lessee as its command.
final class TestLessee {
  let process: ChildProcess
  private let pid: Int32

  init(_ host: LabHost, _ output: String) throws {
    let folder = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let program = (folder + ["test-lessee"]).joined(separator: "/")
    var command = ChildCommand(
      Lab.program("framepath"), ["lease", "--socket", host.socket, "--output", output, "--", program])
    command.input = .pipe
    process = try ChildProcess(command)
    guard let line = process.readLine(from: .output, timeoutMilliseconds: 20_000), line.hasPrefix("ready "),
      let number = Int32(line.dropFirst(6))
    else { throw LabError("no lease: \(process.text(.output)) \(process.text(.error))") }
    pid = number
  }

  /// Sends a line without waiting for the answer.
  func tell(_ words: String) throws { try process.write("\(words)\n") }

  func ask(_ words: String) throws -> String {
    try tell(words)
    return process.readLine(from: .output, timeoutMilliseconds: 20_000) ?? "no answer: \(process.text(.error))"
  }

  /// Sends the last line; returns how the tool ended.
  func end(_ words: String) throws -> ChildExit? {
    try tell(words)
    return process.waitForExit(timeoutMilliseconds: 20_000)
  }

  /// Kills the command, not the tool.
  func killCommand() throws { _ = try ChildProcess.run(ChildCommand("kill", ["-9", "\(pid)"])) }
}

extension FrameCRCs {
  /// All lines until the last one is `wanted`, or for ten seconds.
  fileprivate func wait(for wanted: UInt32) throws -> [UInt32] {
    let deadline = monotonicNanoseconds() + 10_000_000_000
    var said = drain().map(\.crc)
    while said.last != wanted, monotonicNanoseconds() < deadline {
      try LabHost.pause(milliseconds: 5)
      said += drain().map(\.crc)
    }
    return said
  }
}

/// vkms's configfs.
enum VKMS {
  /// 1 is plugged, 2 unplugged.
  static func plug(_ connector: Int, _ isPlugged: Bool) throws {
    let file = "/sys/kernel/config/vkms/lab/connectors/connector\(connector)/status"
    let result = try ChildProcess.run(ChildCommand("sh", ["-c", "echo \(isPlugged ? 1 : 2) >\(file)"]))
    guard result.exit.isSuccess else { throw LabError("\(file): \(result.error)") }
  }
}
