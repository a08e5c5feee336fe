import LinuxIO
import TestSupport
import Testing

/// Attacks and kills of the real programs, shorter than `make attack`. The machine may be busy, so that times and the
/// share of a VM's frames are judged by `make attack` only.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct AttackTests {
  private func attack(_ arguments: [String]) throws {
    var command = ChildCommand(Programs.path("test-attack"), arguments)
    command.addedEnvironment = ["FRAMEPATH_BIN": Programs.folder]
    let result = try ChildProcess.run(command, timeoutMilliseconds: 200_000)
    #expect(result.exit == .status(0), "\(result.output)\n\(result.error)")
  }

  @Test func `after each of 60 kills of the daemon, backends and clients all pictures come back, and nothing is left`()
    throws
  {
    try attack(["--only", "none", "--kills", "60", "--within", "10"])
  }

  @Test func `a VM beside attacks keeps its screen, and the daemon is left with what it had`() throws {
    let attacks = [
      "control", "counters", "unread", "heads-leave", "names", "linger", "linger-queued", "descriptors",
      "blocking-doorbell", "region-bytes", "huge-region", "huge-snapshot", "vhost-user", "virtio-gpu", "random",
      "denied",
    ]
    let only = attacks.joined(separator: ",")
    try attack(["--only", only, "--rounds", "1", "--seconds", "0.6", "--kills", "0", "--share", "20"])
  }
}
