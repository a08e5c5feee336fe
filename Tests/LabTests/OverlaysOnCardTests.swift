import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import StatusModel
import Testing

/// A card with as many overlay planes as VMs, configured in vkms. Runs inside the lab's KMS VM.
@Suite(
  "Four overlay planes", .serialized,
  .enabled(if: Lab.card != nil && environmentVariable("FRAMEPATH_LAB_CARD") == "vkms"))
struct OverlaysOnCardTests {
  @Test
  func `four VMs on a plane each are not copied, a fifth that is worth more gets one of them, and pixels are exact`()
    throws
  {
    let host = try LabHost(outputs: ["kms:\(try OverlaysOnCardTests.makeCard())"])
    let output = try #require(try host.status().outputs.first)
    try host.framepath(["layout", "tile", "2x3"])
    let (width, height) = (output.width / 2, output.height / 3)
    var painters = try (0..<4).map { try Painter(host: host, name: "vm\($0)") }
    var frame: UInt32 = 0
    func show(_ count: Int) throws {
      for _ in 0..<count {
        frame += 1
        for painter in painters {
          let buffer = try painter.nextBuffer(width: width, height: height)
          painter.fill(buffer, with: Picture.frameColour(frame % 30))
          try painter.show(buffer)
        }
      }
    }
    func scanouts() throws -> [DaemonStatus.Scanout] {
      try painters.indices.map { try host.status().scanout(vm: "vm\($0)") }
    }
    func hasPlane() throws -> [Bool] { try scanouts().map { $0.pathReason?.hasPrefix("overlay plane") == true } }
    /// Shows frames until this many VMs have planes, including the last of them.
    func showUntil(_ count: Int) throws {
      for _ in 0..<40 {
        let planes = try hasPlane()
        if planes.count(where: { $0 }) == count, planes.last == true { return }
        try show(3)
      }
      #expect(try hasPlane().count { $0 } == count)
    }
    func expectExact() throws {
      try painters.showNoise(on: output, columns: 2, rows: 3, seed: frame, expectedBy: host)
      // As reported by the hardware, not the daemon.
      #expect(try host.wholeSnapshot(output: output.name).fromWriteback)
    }

    try showUntil(4)
    let before = try scanouts()
    try show(20)
    let after = try scanouts()
    for (earlier, later) in zip(before, after) {
      #expect(later.copiedBytes == earlier.copiedBytes)
      #expect(later.framesFlipped == earlier.framesFlipped + 20)
    }
    try expectExact()
    #expect(try hasPlane() == [true, true, true, true])

    try host.framepath(["vm", "set", "vm4", "--weight", "10000"])
    painters.append(try Painter(host: host, name: "vm4"))
    try showUntil(4)
    #expect(try hasPlane().last == true)
    let copied = try #require(try hasPlane().firstIndex(of: false))
    let shared = try scanouts()
    try show(10)
    for (index, (earlier, later)) in zip(shared, try scanouts()).enumerated() {
      #expect(later.copiedBytes - earlier.copiedBytes == (index == copied ? 10 * width * height * 4 : 0))
    }
    try expectExact()
    #expect(host.stop() == .status(0))
  }

  /// A vkms device with a primary plane, four overlays and a cursor plane; its node.
  private static func makeCard() throws -> String {
    let script = """
      set -e
      before=$(ls /dev/dri)
      d=/sys/kernel/config/vkms/overlays
      mkdir $d $d/crtcs/c $d/encoders/e $d/connectors/k
      echo 1 >$d/crtcs/c/writeback
      ln -s $d/crtcs/c $d/encoders/e/possible_crtcs/
      ln -s $d/encoders/e $d/connectors/k/possible_encoders/
      i=0
      for type in 1 0 0 0 0 2; do
        mkdir $d/planes/p$i
        echo $type >$d/planes/p$i/type
        ln -s $d/crtcs/c $d/planes/p$i/possible_crtcs/
        i=$((i + 1))
      done
      echo 1 >$d/enabled
      for card in /dev/dri/card*; do
        case " $(echo $before) " in *" ${card##*/} "*) ;; *) echo $card ;; esac
      done
      """
    let result = try ChildProcess.run(ChildCommand("sh", ["-c", script]), timeoutMilliseconds: 60_000)
    guard result.exit.isSuccess, let card = result.output.split(separator: "\n").first else {
      throw LabError("vkms makes no card: \(result.error)")
    }
    return String(card)
  }
}
