import Glibc
import GraphicsMemory
import KMS
import LinuxIO
import Outputs
import Scanout
import TestSupport
import Testing

/// Writes a file of sysfs or configfs in one call.
private func writeText(_ text: String, to path: String) throws {
  let file = try OwnedFD.open(path, flags: O_WRONLY)
  let bytes = Array(text.utf8)
  guard write(file.raw, bytes, bytes.count) == bytes.count else {
    throw SystemError(call: "write", code: errno, subject: path)
  }
}

extension OutputConformance {
  /// Checks by the kernel: CRCs of displayed frames, and plugged connectors.
  @Suite(.serialized, .enabled(if: testCardDriver() == "vkms", "the card is not vkms"))
  struct Witness {
    @Test(.enabled(if: FrameCRCs.isThere, "no CRCs"))
    func `two uniform frames give exactly two CRCs`() throws {
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let buffers = [try bench.uniform(0xff_0000), try bench.uniform(0x00_00ff)]
      try bench.show(buffers[0])
      try bench.show(buffers[1])
      let crcs = try FrameCRCs()
      var seen: [UInt32] = []
      for count in 0..<60 {
        try bench.show(buffers[count % 2])
        seen += crcs.drain().map(\.crc)
      }
      let values = Set(seen)
      print("OutputTests: \(seen.count) frames with CRCs \(values.sorted())")
      #expect(seen.count >= 30)
      #expect(values.count == 2)
    }

    @Test func `unplugging and plugging in are reported`() throws {
      let status = "/sys/kernel/config/vkms/lab/connectors/connector0/status"
      guard LinuxFile.status(status) != nil else {
        print("OutputTests: this vkms cannot be unplugged")
        return
      }
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      var told: [[Bool]] = []
      bench.card?.onOutputsChanged = { told.append($0.map(\.connected)) }
      let buffer = try bench.uniform(0x12_3456)
      try bench.show(buffer)

      try writeText("2", to: status)
      try bench.wait(for: "the news") { bench.changes == 1 }
      #expect(!bench.output.info.connected)
      #expect(throws: OutputError.gone("\(bench.output.info.name) is unplugged")) { try bench.commit(buffer) }

      try writeText("1", to: status)
      try bench.wait(for: "the news") { bench.changes == 2 }
      #expect(bench.output.info.connected)
      try bench.show(buffer)
      try bench.show(buffer)
      if let seen = try bench.output.capture() { #expect(differences(seen) { _, _ in 0x12_3456 } == 0) }
      #expect(told.map { $0.first } == [false, true])
    }

    @Test func `unplugging during a commit ends the commit`() throws {
      let status = "/sys/kernel/config/vkms/lab/connectors/connector0/status"
      guard LinuxFile.status(status) != nil else { return }
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let buffer = try bench.uniform(1)
      try bench.show(buffer)
      try bench.commit(buffer)
      try writeText("2", to: status)
      try bench.wait(for: "the flip and the news") { bench.changes == 1 && bench.flips.count == 2 }
      #expect(!bench.output.isCommitPending)
      try writeText("1", to: status)
      try bench.wait(for: "the news") { bench.changes == 2 }
    }
  }
}
