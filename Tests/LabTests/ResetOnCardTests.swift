import LinuxIO
import StatusModel
import TestSupport
import Testing
import VhostUserFrontend

/// Resets of a guest whose driver a test plays, judged by the kernel's CRC of every displayed frame. Runs inside the lab's
/// KMS VM on vkms, started by `KMSHostTests`.
@Suite("Resets on a card", .serialized, .enabled(if: Lab.card != nil && FrameCRCs.isThere))
struct ResetOnCardTests {
  private static let secret: UInt32 = 0xBA_D0BA
  private static let resets = 20
  private static let (width, height) = (160, 120)

  @Test(arguments: [
    (Frontend.Shape.completeDevice, [String]()), (.vhostUserGPU, ["--path", "direct"]), (.vhostUserGPU, []),
  ])
  func `in twenty resets every displayed frame is one of the guest's, or black`(
    shape: Frontend.Shape, arguments: [String]
  ) throws {
    let (width, height) = (Self.width, Self.height)
    let card = try #require(Lab.card)
    let host = try LabHost(outputs: ["kms:\(card):Virtual-1:\(width)x\(height)"])
    let backend = try host.backend(vm: "web", arguments: arguments)
    let colours = (0...UInt32(Self.resets * 6)).map { $0 == 0 ? 0 : Picture.frameColour($0) }
    let known = FrameCRC.ofUniformFrames(colours, width: width, height: height)
    let hidden = FrameCRC.ofUniformFrame(colour: Self.secret, width: width, height: height)
    #expect(known.count == colours.count && !known.contains(hidden))

    let player = try GuestPlayer(path: host.backendSocket(vm: "web"), shape: shape, ramBytes: 8 << 20)
    let memory = (0..<2).map { _ in player.memory(width: width, height: height, pieceBytes: 8192) }
    let watch = try CRCWatch(card, known: known)
    defer { watch.end() }
    for round in 0..<Self.resets {
      for (index, pieces) in memory.enumerated() {
        let resource = UInt32(index + 1)
        if shape == .completeDevice {
          try player.ask(GPURequest.createBlob(resource, pieces))
        } else {
          try player.ask(GPURequest.create2D(resource, width: width, height: height))
          try player.ask(GPURequest.attachBacking(resource, pieces))
        }
      }
      for flip in 1...6 {
        let picture = GuestPlayer.Picture(
          resource: UInt32(flip % 2 + 1), width: width, height: height, pieces: memory[flip % 2])
        // A guest that does not wait for its flips would tear without a reset, too.
        try watch.waitUntilComposed()
        player.fill(picture, colours[round * 6 + flip])
        if shape == .completeDevice {
          try player.flip(picture)
        } else {
          let shown = try host.status().scanout(vm: "web").framesFlipped
          try player.ask(GPURequest.transfer(picture.resource, width: width, height: height))
          try player.ask(GPURequest.setScanout(picture.resource, width: width, height: height))
          try player.ask(GPURequest.flush(picture.resource, width: width, height: height))
          try LabHost.wait("the flip") { try host.status().scanout(vm: "web").framesFlipped > shown }
        }
      }
      if round == 0 {
        let isDirect = shape == .completeDevice || !arguments.isEmpty
        #expect(try host.status().scanout(vm: "web").path == (isDirect ? .direct : .copy))
      }
      // QEMU 11 does not send RESET_DEVICE for the complete device.
      try player.frontend.reset(sendsResetDevice: shape == .vhostUserGPU || round % 2 == 1)
      try watch.waitUntilComposed()
      for pieces in memory {
        for piece in pieces { player.ram.fill(piece.address, piece.byteCount / 4, pixels: Self.secret) }
      }
      try watch.wait(forCRCs: 3)
      #expect(watch.seen.strange == 0, "after reset \(round)")
      try player.frontend.start()
    }
    let seen = watch.end()
    print("lab: \(shape) \(arguments): \(seen)")
    #expect(seen.strange == 0)
    #expect(!seen.different.contains(hidden))
    #expect(seen.different.count >= Self.resets * 3)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }
}
