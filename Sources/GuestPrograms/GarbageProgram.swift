import ArgumentParser
import FramepathGuest
import LinuxIO

/// Writes random words over the region: a guest at its worst, for tests.
struct GarbageProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "garbage", abstract: "Writes random words over the region, for tests.", shouldDisplay: false)

  @Option(name: .long, help: "How long.") var seconds = 60.0

  func run() throws {
    guard let device = PCIDevice.all().first else { throw ValidationError("this machine has no ivshmem device") }
    let memory = try device.mapMemory()
    let end = monotonicNanoseconds() + UInt64(seconds * 1e9)
    // The words and rings of both sides lie in the first 64 KiB; most writes go there.
    let near = min(65_536, memory.byteCount)
    while monotonicNanoseconds() < end {
      for round in 0..<4096 {
        let limit = round % 64 == 0 ? memory.byteCount : near
        let offset = Int.random(in: 0..<limit / 8) * 8
        let word = Bool.random() ? UInt64.random(in: 0...UInt64.max) : UInt64.random(in: 0..<64)
        // SAFETY: the offset lies in the mapping, a multiple of 8.
        unsafe memory.base.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
      }
    }
  }
}
