import LinuxIO
import StatusModel
import Testing

/// Guests whose own pages are on screen: nothing is copied, and the output paces them.
@Suite("The direct path", .serialized)
struct DirectPathTests {
  @Test func `pictures, partial updates, cursors and odd sizes arrive byte for byte without one copy`() throws {
    let host = try LabHost(outputs: ["headless:1024x768@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .complete)

    try guest.draw("pattern gradient --size 1024x768")
    try host.expect(vm: "web", shows: .gradient(width: 1024, height: 768))
    try guest.draw("pattern noise --size 1024x768 --seed 7")
    var picture = Picture.noise(width: 1024, height: 768, seed: 7)
    try host.expect(vm: "web", shows: picture)
    try guest.draw("damage --count 40 --seed 3")
    picture.paintDamage(count: 40, seed: 3)
    try host.expect(vm: "web", shows: picture)
    try host.expect(output: "headless-0", shows: picture)

    try guest.draw("cursor --x 100 --y 50 --seed 9")
    var pointed = picture
    pointed.paintCursor(x: 100, y: 50, seed: 9)
    try host.expect(vm: "web", shows: pointed)
    try guest.draw("cursor --off")
    try host.expect(vm: "web", shows: picture)

    // Rows of 5464 bytes are not a multiple of 64.
    for (width, height) in [(1366, 768), (800, 600), (1280, 720)] {
      try guest.draw("pattern noise --size \(width)x\(height) --seed 5")
      try host.expect(vm: "web", shows: .noise(width: width, height: height, seed: 5))
      try guest.draw("flip --count 10 --size \(width)x\(height)")
      try host.expect(vm: "web", shows: .solid(Picture.frameColour(9), width: width, height: height))
    }
    try expectNoCopy(host)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test(arguments: [24, 60, 144])
  func `the output paces the guest at any refresh rate`(hertz: Int) throws {
    // Small pictures: an emulated guest takes long to draw large ones.
    let host = try LabHost(outputs: ["headless:160x120@\(hertz)"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .complete)
    try guest.draw("pattern gradient --size 160x120")
    let count = hertz * 2
    // Never faster than the output; a machine with other work may miss vblanks, but not in every one of three runs.
    var milliseconds = Int.max
    for _ in 1...3 where milliseconds > count * 1000 / hertz * 3 / 2 {
      let before = try host.status().scanout(vm: "web")
      let reply = try guest.draw("flip --count \(count) --size 160x120")
      let after = try host.status().scanout(vm: "web")
      #expect(after.framesFlipped - before.framesFlipped == count)
      #expect(after.framesSuperseded == before.framesSuperseded, "a paced guest draws no frame in vain")
      try expectNoCopy(host)
      milliseconds = try elapsed(reply)
      print("lab: \(count) flips at \(hertz) Hz took \(milliseconds) ms")
      #expect(milliseconds >= (count - 2) * 1000 / hertz)
    }
    #expect(milliseconds <= count * 1000 / hertz * 3 / 2)
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(UInt32(count - 1)), width: 160, height: 120))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a cursor that changes while frames flip loses no fence`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .complete)
    try guest.draw("pattern noise --size 640x480 --seed 1")
    for round in UInt32(0)..<5 {
      try guest.draw("cursor --x 10 --y 20 --seed \(round)")
      try guest.draw("flip --count 5 --size 640x480")
      try guest.draw("cursor --move --x \(round * 3) --y 40")
    }
    var picture = Picture.solid(Picture.frameColour(4), width: 640, height: 480)
    picture.paintCursor(x: 12, y: 40, seed: 4)
    try host.expect(vm: "web", shows: picture)
    try expectNoCopy(host)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a daemon that was killed shows the guest's pages again, while it flips too`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"])
    let backend = try host.backend(vm: "web")
    let guest = try LabGuest(host: host, vm: "web", shape: .complete)
    try guest.draw("pattern noise --size 640x480 --seed 1")
    for seed in UInt32(2)...6 {
      try host.restartDaemon()
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed - 1))
      try expectNoCopy(host)
      try guest.draw("pattern noise --size 640x480 --seed \(seed)")
      try host.expect(vm: "web", shows: .noise(width: 640, height: 480, seed: seed))
    }
    try guest.run("fpdraw flip --count 120 --size 640x480 >/tmp/flips 2>&1 &")
    try host.restartDaemon()
    #expect(
      try guest.run("until grep -qE '^(ok|error)' /tmp/flips; do sleep 0.1; done; tail -n 1 /tmp/flips").hasPrefix("ok")
    )
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(119), width: 640, height: 480))
    try expectNoCopy(host)
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  @Test func `a guest without blobs is shown without copies if requested`() throws {
    let host = try LabHost(outputs: ["headless:800x600@60"])
    let backend = try host.backend(vm: "web", arguments: ["--path", "direct"])
    let guest = try LabGuest(host: host, vm: "web", shape: .vhostUserGPU)
    try guest.draw("pattern noise --size 800x600 --seed 4")
    var picture = Picture.noise(width: 800, height: 600, seed: 4)
    try host.expect(vm: "web", shows: picture)
    try guest.draw("damage --count 30 --seed 8")
    picture.paintDamage(count: 30, seed: 8)
    try host.expect(vm: "web", shows: picture)
    try guest.draw("flip --count 30 --interval-ms 20 --size 800x600")
    try host.expect(vm: "web", shows: .solid(Picture.frameColour(29), width: 800, height: 600))
    try expectNoCopy(host)
    // The pages on screen return to the guest: the screen becomes black, without an error.
    try guest.draw("off")
    try guest.draw("pattern gradient --size 800x600")
    try host.expect(vm: "web", shows: .gradient(width: 800, height: 600))
    #expect(backend.waitForExit(timeoutMilliseconds: 0) == nil)
  }

  /// Expects that no byte of any frame so far was copied by a CPU.
  private func expectNoCopy(_ host: LabHost, _ location: SourceLocation = #_sourceLocation) throws {
    let scanout = try host.status().scanout(vm: "web")
    #expect(scanout.path == .direct, sourceLocation: location)
    #expect(scanout.pathReason == nil, sourceLocation: location)
    #expect(scanout.cpuCopies == 0, sourceLocation: location)
    #expect(scanout.copiedBytes == 0, sourceLocation: location)
  }

  /// The duration reported by `fpdraw flip`.
  private func elapsed(_ reply: String) throws -> Int {
    let words = reply.split(whereSeparator: \.isWhitespace)
    guard let index = words.lastIndex(of: "elapsed_us"), words.indices.contains(index + 1),
      let microseconds = Int(words[index + 1])
    else { throw LabError("no time in `\(reply)`") }
    return microseconds / 1000
  }
}
