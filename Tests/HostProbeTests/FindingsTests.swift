import LinuxIO
import Seat
import TestSupport
import Testing

@testable import HostProbe

@Suite("Findings on the console")
struct ConsoleFindingsTests {
  private func terminal(
    _ number: Int, active: Bool = true, graphics: Bool = false, off: Bool = false, holders: [FileOpener] = []
  ) -> ConsoleState {
    ConsoleState(terminal: number, isActive: active, isGraphics: graphics, isKeyboardOff: off, holders: holders)
  }

  private func card(of holder: String) -> CardFacts {
    CardFacts(
      name: "card0", driver: "i915", connectors: [], nodePermissions: nil, nodeGroup: "", mayOpen: true,
      holders: [ProcessName(pid: 9, name: holder)], master: .unknown)
  }

  @Test func `a shell behind the VMs' pictures is a problem, and no shell there is none`() {
    let open = ConsoleFacts.terminals([terminal(1), terminal(2, active: false)])
    let finding = open.findings(cards: [card(of: "framepathd")]).first
    #expect(finding?.severity == .problem)
    #expect(finding?.seen == "what is typed in front of the VMs' pictures goes to tty1")
    #expect(open.findings(cards: [card(of: "Xorg")]).first?.severity == .ok)
    let daemon = FileOpener(pid: 9, program: "framepathd")
    let closed = ConsoleFacts.terminals([terminal(7, graphics: true, off: true, holders: [daemon])])
    #expect(closed.findings(cards: [card(of: "framepathd")]).map(\.severity) == [.ok])
  }

  @Test func `a terminal that a program has left unusable is a problem with a remedy`() {
    let finding = ConsoleFacts.terminals([terminal(7, graphics: true, off: true)]).findings(cards: []).first
    #expect(finding?.severity == .problem)
    #expect(finding?.seen.hasPrefix("tty7: without text or keyboard") == true)
    #expect(finding?.advice == "sudo framepath doctor --reset-console")
  }

  @Test func `a host without terminals needs no finding, and one that keeps them secret a note`() {
    #expect(ConsoleFacts.none.findings(cards: []).isEmpty)
    let denied = SystemError(call: "open", code: 13, subject: "/dev/tty0")
    #expect(ConsoleFacts.unknown(denied).findings(cards: []).map(\.severity) == [.note])
  }
}

@Suite("Findings on cards")
struct CardFindingsTests {
  private let card = CardFacts(
    name: "card0", driver: "i915",
    connectors: [
      ConnectorFacts(name: "HDMI-A-1", isConnected: true, preferredMode: "1920x1080"),
      ConnectorFacts(name: "DP-1", isConnected: false, preferredMode: nil),
    ],
    nodePermissions: "root:video 0660", nodeGroup: "video", mayOpen: true, holders: [], master: .nobody)

  @Test func `card findings read sysfs`() throws {
    try withTemporaryDirectory { root in
      try makeFiles(
        root,
        [
          "sys/class/drm/card0/dev": "226:0", "sys/class/drm/card0-HDMI-A-1/status": "connected\n",
          "sys/class/drm/card0-HDMI-A-1/modes": "1920x1080\n1280x720\n",
          "sys/class/drm/card0-DP-1/status": "disconnected\n", "sys/class/drm/card0-DP-1/modes": "",
          "sys/class/drm/card1/dev": "226:1", "sys/kernel/debug/dri/1/name": "vkms dev=lab unique=lab\n",
          "sys/class/drm/renderD128/dev": "226:128",
          "sys/class/drm/card0/device/vendor": "0x8086", "dev/dri/card0": "",
          "sys/kernel/debug/dri/0/clients": "command tgid dev master a uid magic\n weston 7 0 y y 0 0\n",
        ], links: ["sys/class/drm/card0/device/driver": "../../../bus/pci/drivers/i915"])
      let cards = CardFacts.gather(root: root)
      #expect(cards.map(\.name) == ["card0", "card1"])
      #expect(cards[0].driver == "i915")
      #expect(
        cards[0].connectors == [
          ConnectorFacts(name: "DP-1", isConnected: false, preferredMode: nil),
          ConnectorFacts(name: "HDMI-A-1", isConnected: true, preferredMode: "1920x1080"),
        ])
      #expect(cards[0].master == .process(ProcessName(pid: 7, name: "weston")))
      #expect(cards[0].mayOpen)
      #expect(cards[1].driver == "vkms")
      #expect(cards[1].nodePermissions == nil)
      #expect(cards[1].master == .unknown)
    }
  }

  @Test func `the DRM master is found among debugfs's clients`() {
    let text = """
                   command  tgid dev master a   uid      magic                                             name   id
            systemd-logind   612   0   y    y     0          0                                          <unset>    1
              Isolated Web   900   0   n    y  1000          0                                          <unset>    5
      """
    #expect(CardFacts.master(clients: text) == .process(ProcessName(pid: 612, name: "systemd-logind")))
    let blank = "      my own display   31   0   y    y     0          0"
    #expect(CardFacts.master(clients: blank) == .process(ProcessName(pid: 31, name: "my own display")))
    #expect(CardFacts.master(clients: "command tgid dev master a uid magic\n") == .nobody)
    #expect(CardFacts.master(clients: "x 1 0 n y 0 0\n\ny\n1 2 y\n") == .nobody)
  }

  @Test func `a free card with a monitor has only good findings`() {
    let findings = CardFacts.findings([card], user: "ann")
    #expect(findings.allSatisfy { $0.severity == .ok })
    #expect(findings[2].seen == "HDMI-A-1 has a monitor (1920x1080), DP-1 has no monitor")
  }

  @Test func `the finding names the process that drives the outputs`() {
    var taken = card
    taken.master = .process(ProcessName(pid: 812, name: "Xorg"))
    let finding = CardFacts.findings([taken], user: "ann")[1]
    #expect(finding.severity == .problem)
    #expect(finding.seen == "Xorg (pid 812) is DRM master: framepathd cannot drive the outputs")
    taken.master = .process(ProcessName(pid: 900, name: "framepathd"))
    #expect(CardFacts.findings([taken], user: "ann")[1].severity == .ok)
    taken.master = .unknown
    taken.holders = [ProcessName(pid: 812, name: "Xorg")]
    #expect(CardFacts.findings([taken], user: "ann")[1].seen.hasPrefix("open in Xorg (pid 812)"))
  }

  @Test func `findings include the result of opening the card`() {
    var facts = card
    facts.master = .unknown
    facts.opened = CardFacts.Opened(isFree: true, unsuitable: nil, importsBuffers: true, hasWriteback: true)
    #expect(CardFacts.findings([facts], user: "ann").map(\.severity) == [.ok, .ok, .ok])
    facts.opened = CardFacts.Opened(isFree: false, unsuitable: nil, importsBuffers: false, hasWriteback: false)
    #expect(CardFacts.findings([facts], user: "ann").map(\.severity) == [.note, .problem, .ok])
    #expect(CardFacts.findings([facts], user: "ann")[1].seen.hasPrefix("another user's program is DRM master"))
    facts.holders = [ProcessName(pid: 812, name: "Xorg")]
    #expect(CardFacts.findings([facts], user: "ann")[1].seen.hasPrefix("Xorg (pid 812) is DRM master"))
    facts.holders = [ProcessName(pid: 900, name: "framepathd")]
    #expect(CardFacts.findings([facts], user: "ann")[1].severity == .ok)
    facts.opened = CardFacts.Opened(isFree: true, unsuitable: "no atomic", importsBuffers: true, hasWriteback: false)
    #expect(CardFacts.findings([facts], user: "ann")[0].seen.hasSuffix("but Framepath cannot use it: no atomic"))
  }

  @Test func `the finding names the group that may open the node`() {
    var locked = card
    locked.mayOpen = false
    let finding = CardFacts.findings([locked], user: "ann")[0]
    #expect(finding.severity == .problem)
    #expect(finding.advice == "sudo usermod -aG video ann, then log in again.")
    locked.nodePermissions = nil
    #expect(CardFacts.findings([locked], user: "ann")[0].seen == "driver i915, but there is no device node")
  }

  @Test func `a host without a card or a monitor gets a note`() {
    #expect(CardFacts.findings([], user: "ann").map(\.severity) == [.note])
    var dark = card
    dark.connectors = [ConnectorFacts(name: "DP-1", isConnected: false, preferredMode: nil)]
    #expect(CardFacts.findings([dark], user: "ann")[2].severity == .note)
    dark.connectors = []
    #expect(CardFacts.findings([dark], user: "ann").map(\.seen) == ["no DRM card with a connector"])
  }
}

@Suite("Findings on the system")
struct SystemFindingsTests {
  @Test func `the finding gives udmabuf's limits and the effect of raising them`() {
    var facts = UdmabufFacts(
      nodePermissions: "root:kvm 0660", nodeGroup: "kvm", mayOpen: true, listLimit: 1024, sizeLimitMebibytes: 64)
    #expect(facts.findings(user: "ann").map(\.severity) == [.ok, .note, .ok])
    #expect(facts.findings(user: "ann")[1].advice?.contains("echo 8192 | sudo tee") == true)
    facts.listLimit = 8192
    facts.sizeLimitMebibytes = 8
    #expect(facts.findings(user: "ann").map(\.severity) == [.ok, .ok, .note])
    facts.mayOpen = false
    #expect(facts.findings(user: "ann").map(\.severity) == [.note])
    facts.nodePermissions = nil
    #expect(facts.findings(user: "ann")[0].seen.hasPrefix("missing") == true)
  }

  @Test func `the finding gives the reason why KVM does not work`() {
    #expect(SystemFindings.kvm(nil, user: "ann").severity == .ok)
    let denied = SystemFindings.kvm(SystemError(call: "open", code: 13, subject: "/dev/kvm"), user: "ann")
    #expect(denied.advice == "sudo usermod -aG kvm ann, then log in again.")
    #expect(denied.seen.contains("open /dev/kvm: Permission denied (errno 13)"))
  }

  @Test func `no QEMU at all is a problem, one good QEMU is enough`() {
    #expect(QEMUFacts.findings([], kvm: nil).map(\.severity) == [.problem])
    let old = QEMUFacts(
      path: "/usr/bin/qemu-system-x86_64",
      answer: .success(QEMUCapabilities(version: QEMUVersion(7, 2), genericDevice: nil, hasVhostUserGPU: true)))
    let new = QEMUFacts(
      path: "/opt/qemu-system-x86_64",
      answer: .success(QEMUCapabilities(version: QEMUVersion(11, 0), genericDevice: "d", hasVhostUserGPU: true)))
    let broken = QEMUFacts(path: "/x/qemu-system-arm", answer: .failure(HostProbeError("ended with signal 6")))
    #expect(QEMUFacts.findings([old], kvm: "none").map(\.severity) == [.problem, .ok])
    #expect(QEMUFacts.findings([old], kvm: nil).map(\.severity) == [.ok, .ok])
    let all = QEMUFacts.findings([old, new, broken], kvm: "none")
    #expect(all.map(\.severity) == [.note, .ok, .note, .ok, .ok])
    // The limits of the devices that are there.
    #expect(all.suffix(2).map(\.topic) == ["complete", "vhost-user-gpu"])
    for limits in all.suffix(2) { #expect(limits.seen.contains("If its backend ends")) }
    #expect(all[4].seen.contains("After cpr-reboot the screen stays black"))
  }

  @Test func `owner and permissions of the runtime directory are checked`() {
    let finding = { (permissions: UInt32, mayWrite: Bool) in
      SystemFindings.runtimeDirectory(
        "/run/x",
        status: LinuxFile.Status(kind: .directory, uid: 0, gid: 0, permissions: permissions, byteCount: 0),
        mayWrite: mayWrite, parentWritable: true
      ).severity
    }
    #expect(finding(0o700, true) == .ok)
    #expect(finding(0o700, false) == .problem)
    #expect(finding(0o777, true) == .problem)
    #expect(finding(0o1777, true) == .ok)
    let absent = SystemFindings.runtimeDirectory("/run/x", status: nil, mayWrite: false, parentWritable: false)
    #expect(absent.severity == .problem)
  }

  @Test func `a stale socket is distinguished from a missing one`() {
    #expect(SystemFindings.daemon(.running(outputs: 2, vms: 1), socket: "/s").seen == "runs at /s: outputs 2, VMs 1")
    #expect(SystemFindings.daemon(.absent, socket: "/s").severity == .note)
    #expect(SystemFindings.daemon(.stale, socket: "/s").seen == "is not running, but left /s behind")
    #expect(SystemFindings.daemon(.failed("x"), socket: "/s").severity == .problem)
  }
}

@Suite("Findings on discovery files")
struct DiscoveryTests {
  private let script = "#!/bin/sh\n[ $1 = --print-capabilities ] && echo '{\"type\": \"gpu\", \"features\": []}'\n"

  private func check(_ json: String, _ body: (DiscoveryFacts) -> Void) throws {
    try withTemporaryDirectory { root in
      let binary = "\(root)/bin/framepath-vhost-user-gpu"
      try makeFiles(
        root,
        [
          "etc/50-framepath-gpu.json": json.split(separator: "BINARY", omittingEmptySubsequences: false).joined(
            separator: binary),
          "bin/framepath-vhost-user-gpu": script, "etc/50-other.json": "{", "usr/50-other.json": "{}",
        ])
      _ = try ChildProcess.run(ChildCommand("chmod", ["755", binary]))
      body(DiscoveryFacts.gather(directories: ["\(root)/etc", "\(root)/usr", "\(root)/none"]))
    }
  }

  @Test func `a discovery file whose binary answers is good`() throws {
    try check(#"{"description": "Framepath", "type": "gpu", "binary": "BINARY"}"#) { facts in
      #expect(facts.fault == nil)
      #expect(facts.findings.map(\.severity) == [.ok, .note])
      // The less specific directory's file of the same name is hidden.
      #expect(facts.brokenFiles.count == 1)
    }
  }

  @Test(arguments: [
    (#"{"type": "gpu", "binary": "BINARY"}"#, "not a JSON object with description, type and binary"),
    (#"{"description": "", "type": "fs", "binary": "BINARY"}"#, "its type is \"fs\", not \"gpu\""),
    (#"{"description": "", "type": "gpu", "binary": "b"}"#, "its binary b is not an absolute path"),
    (#"{"description": "", "type": "gpu", "binary": "/no"}"#, "its binary /no is missing or not executable"),
    (
      #"{"description": "", "type": "gpu", "binary": "/bin/true"}"#,
      "/bin/true --print-capabilities does not answer with a gpu's JSON"
    ),
  ])
  func `a faulty discovery file is reported with its fault`(json: String, fault: String) throws {
    try check(json) { facts in
      #expect(facts.fault == fault)
      #expect(facts.findings.first?.severity == .problem)
    }
  }

  @Test func `a host without discovery files gets a note`() {
    let facts = DiscoveryFacts.gather(directories: ["/no-such-directory"])
    #expect(facts.findings.map(\.severity) == [.note])
    #expect(
      DiscoveryFacts.directories(environment: ["HOME": "/h"]) == [
        "/h/.config/qemu/vhost-user", "/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user",
      ])
  }
}

@Suite("Doctor's report")
struct DoctorReportTests {
  private let report = DoctorReport([
    Finding(.ok, "kernel", "6.12"), Finding(.problem, "/dev/kvm", "one two three", advice: "four five"),
  ])

  @Test func `processes that run without their sandbox are named, launchers and assistants are not`() throws {
    try withTemporaryDirectory { root in
      let (bare, closed) = ("Name:\tx\nSeccomp:\t0\n", "Name:\tx\nSeccomp:\t2\n")
      let backend = "/usr/bin/framepath-vhost-user-gpu\0--vm\0web\0"
      try makeFiles(
        root,
        [
          "proc/sys/kernel/seccomp/actions_avail": "kill_process trap allow\n",
          "proc/10/cmdline": backend, "proc/10/status": bare,
          "proc/11/cmdline": backend + "--worker\010\0", "proc/11/status": closed,
          "proc/12/cmdline": backend + "--worker\09\0", "proc/12/status": bare,
          "proc/13/cmdline": "framepathd\0--sandbox\0off\0", "proc/13/status": bare,
          "proc/14/cmdline": "framepathd\0--assistant\0", "proc/14/status": bare,
          "proc/15/cmdline": "framepathd\0", "proc/15/status": closed,
          "proc/16/cmdline": "vi\0framepathd\0", "proc/16/status": bare,
        ])
      let facts = SandboxFacts.gather(root: root)
      #expect(facts.hasFilters)
      #expect(facts.unprotected == ["framepath-vhost-user-gpu (process 12)", "framepathd (process 13)"])
      let note = try #require(facts.findings.last)
      #expect(note.severity == .note)
      #expect(note.seen.hasPrefix("without a sandbox: framepath-vhost-user-gpu (process 12), "))
    }
  }

  @Test func `a kernel without filters or without Landlock is told`() {
    let none = SandboxFacts(hasFilters: false, landlockVersion: 0, unprotected: [])
    #expect(none.findings.map(\.severity) == [.problem])
    let filters = SandboxFacts(hasFilters: true, landlockVersion: 0, unprotected: [])
    #expect(filters.findings.map(\.severity) == [.note])
    let both = SandboxFacts(hasFilters: true, landlockVersion: 7, unprotected: [])
    #expect(both.findings.map(\.severity) == [.ok])
  }

  @Test func `the doctor's report is aligned and wrapped`() {
    #expect(
      report.lines(symbols: true, columns: 60) == [
        "✓ kernel    6.12", "✗ /dev/kvm  one two three", "            →  four five", "", "1 problem, 0 notes.",
      ])
    #expect(report.lines(symbols: false, columns: 60)[2] == "                  -> four five")
    #expect(DoctorReport.wrapped("aa bb cc", width: 5) == ["aa bb", "cc"])
    #expect(DoctorReport.wrapped("aaaaaaaa b", width: 5) == ["aaaaaaaa", "b"])
  }
}
