import FrameSimulator
import Glibc
import GraphicsMemory
import Scanout
import TestSupport
import Testing
import VirtioGPU

@Suite struct FuzzTests {
  /// Every random request gets a valid response, and nothing leaks.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func `every random command gets an answer`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let modes = [DisplayMode](repeating: DisplayMode(width: 128, height: 96, refreshMillihertz: 60_000), count: 3)
    let limit = 8 << 20
    let guest = try TestGuest(
      modes: modes, regionCount: 3, blobs: true,
      configuration: DeviceConfiguration(memoryLimitBytes: limit, pathPolicy: seed % 2 == 0 ? .direct : .auto))
    guest.display.importRefusal = nil
    for _ in 0..<5_000 {
      guest.now += 1_000_000
      switch Int.random(in: 0..<20, using: &random) {
      case 0: happen(guest, &random)
      case 1: guest.cursor(mutated(cursorRequest(&random), &random))
      default:
        guard let response = guest.send(mutated(request(&random), &random)) else { continue }
        #expect([24, 408, 1056].contains(response.count))
        #expect(
          (0x1100...0x1106).contains(guest.word(response, 0)) || (0x1200...0x1205).contains(guest.word(response, 0)))
      }
    }
    guest.device.displayRestored()
    for id in Array(UInt32(0)..<16) + [.max, 1 << 31, .max >> 1] { guest.type(unref(id)) }
    #expect(guest.display.buffers.count <= 3 * (2 * 4 + 2), "all resources are gone, and their imports")
    // All memory is free again.
    #expect(guest.type(create2D(1, width: 2048, height: 1023)) == TestGuest.success)
    guest.device.reset()
    #expect(guest.display.buffers.isEmpty)
    #expect(guest.type(create2D(1, width: 2048, height: 1023)) == TestGuest.success)
  }

  /// Every frame has the guest's pixels, for any transfers and any speed of the display.
  @Test(arguments: [UInt64(11), 12, 13, 14])
  func `random drawing appears on the screen as drawn`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let guest = try TestGuest(blobs: seed % 2 == 0)
    let addresses = [0, 0x20000]
    for (index, address) in addresses.enumerated() {
      if seed % 2 == 0 {
        guest.type(createBlob(UInt32(index + 1), size: 49152, [(UInt64(address), 49152)]))
      } else {
        guest.makeImage(UInt32(index + 1), at: UInt64(address))
      }
    }
    let pages = try #require(guest.ram.bytes.baseAddress)
    var queue: [FrameSubmission] = []
    var onScreen: UInt32?
    var checked = 0
    for round in 0..<400 {
      let image = Int.random(in: 0..<2, using: &random)
      let id = UInt32(image + 1)
      let x = Int.random(in: 0..<128, using: &random)
      let y = Int.random(in: 0..<96, using: &random)
      let rect = Rect(
        x: x, y: y, width: .random(in: 1...128 - x, using: &random), height: .random(in: 1...96 - y, using: &random))
      guest.draw(UInt32(round), at: addresses[image], rect: rect)
      guest.type(transfer(id, rect))
      if seed % 2 == 0 {
        guest.type(setScanoutBlob(0, id, whole, width: 128, height: 96, stride: 512))
      } else {
        guest.type(setScanout(0, id, whole))
      }
      let before = guest.display.frames.count
      guest.type(flush(id, rect))
      // The display is slow, then shows the newest waiting frame.
      queue += guest.display.frames[before...]
      if Bool.random(using: &random), let newest = queue.last {
        for frame in queue.dropLast() {
          guest.device.frameDone(scanout: 0, frame: frame.frame, outcome: .superseded, timeNanoseconds: 0)
          if frame.bufferID != onScreen && frame.bufferID != newest.bufferID {
            guest.device.bufferReleased(frame.bufferID)
          }
        }
        guest.showFrame(newest, replacing: onScreen == newest.bufferID ? nil : onScreen)
        onScreen = newest.bufferID
        queue = Array(guest.display.frames.dropFirst(before).filter { $0.frame > newest.frame })
      }
      guard guest.display.frames.count > before, let last = guest.display.frames.last else { continue }
      let shown = try #require(guest.display.buffers[last.bufferID]).mapped
      let isRight = memcmp(shown.pixels, pages + addresses[image], 49152) == 0
      #expect(isRight, "round \(round)")
      checked += 1
    }
    #expect(checked > 300)
    #expect(guest.display.requestCount <= 4)
  }

  private func happen(_ guest: TestGuest, _ random: inout SeededGenerator) {
    let device = guest.device
    switch Int.random(in: 0..<9, using: &random) {
    case 0:
      guest.display.forgetBuffers()
      device.displayLost()
    case 1: device.displayRestored()
    case 2: device.headsChanged()
    case 3: device.timerFired(nowNanoseconds: guest.now)
    case 4:
      let scanout = Int.random(in: 0..<4, using: &random)
      guest.display.forgetBuffers(scanout: scanout)
      device.buffersLost(scanout: scanout)
    case 5: device.memoryChanged()
    case 6:
      guest.display.refusesBuffers.toggle()
      guest.display.isImportUnavailable = Bool.random(using: &random)
      guest.display.importRefusal = Bool.random(using: &random) ? nil : "no"
    default:
      for frame in guest.display.frames.suffix(6) {
        let outcome: FrameOutcome = Bool.random(using: &random) ? .flipped : .superseded
        device.frameDone(scanout: frame.scanout, frame: frame.frame, outcome: outcome, timeNanoseconds: 1)
        device.bufferReleased(frame.bufferID)
      }
    }
  }

  private func small(_ random: inout SeededGenerator) -> UInt32 { .random(in: 0..<16, using: &random) }

  private func rect(_ random: inout SeededGenerator) -> Rect {
    Bool.random(using: &random)
      ? whole
      : Rect(
        x: .random(in: 0..<140, using: &random), y: .random(in: 0..<100, using: &random),
        width: .random(in: 0..<140, using: &random), height: .random(in: 0..<100, using: &random))
  }

  private func list(_ random: inout SeededGenerator) -> [(UInt64, UInt32)] {
    (0..<Int.random(in: 0..<5, using: &random)).map { _ in
      (.random(in: 0..<1 << 22, using: &random), .random(in: 1..<60_000, using: &random))
    }
  }

  private func request(_ random: inout SeededGenerator) -> [UInt8] {
    let id = small(&random)
    let fence: UInt64? = Bool.random(using: &random) ? .random(in: 0...(.max), using: &random) : nil
    switch Int.random(in: 0..<14, using: &random) {
    case 0: return create2D(id, width: 128, height: 96)
    case 1: return create2D(id, format: small(&random), width: small(&random) * 10, height: small(&random) * 10)
    case 2: return unref(id)
    case 3: return setScanout(small(&random) % 4, id, rect(&random))
    case 4, 5: return flush(id, rect(&random), fence: fence)
    case 6, 7: return transfer(id, rect(&random), fence: fence)
    case 8: return transfer(id, rect(&random), offset: .random(in: 0..<100_000, using: &random))
    case 9: return attach(id, [(.random(in: 0..<1 << 21, using: &random), 49152)])
    case 10: return Bool.random(using: &random) ? attach(id, list(&random)) : detach(id)
    case 11: return createBlob(id, size: 49152, [(0, 49152)])
    case 12: return createBlob(id, size: .random(in: 0..<100_000, using: &random), list(&random))
    default:
      return setScanoutBlob(
        small(&random) % 4, id, rect(&random), width: 128, height: 96, stride: 512, offset: small(&random))
    }
  }

  private func cursorRequest(_ random: inout SeededGenerator) -> [UInt8] {
    updateCursor(
      small(&random) % 4, small(&random), x: .random(in: -200...200, using: &random), y: 3,
      type: Bool.random(using: &random) ? 0x0300 : 0x0301)
  }

  /// Every fourth request has wrong bytes or a wrong length.
  private func mutated(_ request: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var request = request
    switch Int.random(in: 0..<12, using: &random) {
    case 0: request.removeLast(.random(in: 0...request.count, using: &random))
    case 1: request += [UInt8](repeating: 0xA5, count: .random(in: 0..<40, using: &random))
    case 2:
      let field = Int.random(in: 0..<request.count / 4, using: &random) * 4
      let value: [UInt8] = [[0, 0, 0, 0], [255, 255, 255, 255], [0, 0, 0, 128], [255, 255, 255, 127]][
        .random(in: 0..<4, using: &random)]
      request.replaceSubrange(field..<field + 4, with: value)
    default: break
    }
    return request
  }
}
