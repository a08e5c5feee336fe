/// What a hostile process does to the daemon for a few seconds.
struct Attack: Sendable {
  /// A word for the command line.
  let name: String
  /// One line for the table.
  let what: String
  /// Why it cannot be done on this machine; nil if it can.
  var missing: @Sendable () -> String? = { nil }
  /// Does it until the stage's time is over; returns how many times.
  let perform: @Sendable (AttackStage) throws -> Int

  /// The process spins, without the daemon: what its use of a processor costs the VM beside it.
  static let control = Attack(name: "control", what: "spins, does nothing to the daemon") { stage in
    var sum = 0
    while !stage.isOver { for number in 0..<10_000 { sum = sum &* 31 &+ number } }
    return sum == 0 ? 1 : 0
  }

  /// All attacks, each family in its file.
  static let all =
    [control] + presentFloods + bufferFloods + inquiryFloods + connectionFloods + foreignDescriptors + regionAttacks
    + hugePageAttacks + machineAttacks + [randomMessages, deniedRequests]
}
