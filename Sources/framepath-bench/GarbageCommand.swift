import ArgumentParser
import FramepathGuest
import Glibc
import GuestPrograms
import Ivshmem
import LinuxIO

/// Overwrites the region with random words, as a hostile guest, for tests.
struct GarbageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "garbage", abstract: "Overwrites the region with random words, for tests.", shouldDisplay: false)

  @OptionGroup var options: GuestOptions

  @Option(name: .long, help: "Length of the run.") var seconds = 60.0

  func run() throws {
    switch options.place {
    case .device(let number):
      let devices = PCIDevice.all()
      guard devices.indices.contains(number) else { throw ValidationError("There is no ivshmem device \(number).") }
      try spoil(devices[number].mapMemory()) {}
    case .socket(let path):
      let client = try IvshmemClient.connect(path)
      try spoil(Mapping(fd: client.memory.raw, byteCount: client.memory.byteCount())) { client.hostDoorbell.signal() }
    case .daemon(let path, let name):
      let region = try DaemonRegion(path, name: name)
      try spoil(Mapping(fd: region.memory.raw, byteCount: region.memory.byteCount())) { region.ring() }
    case .file(let path):
      let file = try OwnedFD.open(path, flags: O_RDWR)
      try spoil(Mapping(fd: file.raw, byteCount: file.byteCount())) {}
    }
  }

  private func spoil(_ memory: consuming Mapping, ring: () -> Void) {
    let end = monotonicNanoseconds() + UInt64(seconds * 1e9)
    // The header and rings of both sides are in the first 64 KiB; most writes go there.
    let near = min(65_536, memory.byteCount)
    while monotonicNanoseconds() < end {
      for round in 0..<4096 {
        let limit = round % 64 == 0 ? memory.byteCount : near
        let offset = Int.random(in: 0..<limit / 8) * 8
        let word = Bool.random() ? UInt64.random(in: 0...UInt64.max) : UInt64.random(in: 0..<64)
        // SAFETY: the offset lies in the mapping, a multiple of 8.
        unsafe memory.base.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
      }
      ring()
    }
  }
}
