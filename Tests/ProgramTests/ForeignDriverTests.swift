import LinuxIO
import TestSupport
import Testing

/// The commands of other systems' drivers, in their order and with their fences, played against the real programs.
@Suite(.timeLimit(.minutes(2)))
struct ForeignDriverTests {
  /// VIRTIO_F_VERSION_1.
  private static let version1: UInt64 = 1 << 32
  private static let edidFeature: UInt64 = 1 << 1

  /// The words of a command's answer: the fence must come back.
  private struct Fences {
    var last: UInt64 = 0

    mutating func ask(
      _ player: GuestPlayer, _ command: [UInt8], _ wanted: UInt32 = GPURequest.success,
      byteCount: Int = GPURequest.headerByteCount
    ) throws -> [UInt32] {
      last += 1
      let words = try player.ask(GPURequest.fenced(command, last), wanted, byteCount: byteCount)
      #expect(words[1] == 1 && UInt64(words[2]) == last && words[3] == 0)
      return words
    }
  }

  /// FreeBSD (sys/dev/virtio/gpu): no cursor queue, every command fenced and polled for, one entry of memory, single
  /// pixels and rectangles with their own offset.
  @Test(arguments: [Frontend.Shape.completeDevice, .vhostUserGPU])
  func `FreeBSD's console is shown`(shape: Frontend.Shape) throws {
    let guest = try PlayedGuest(shape: shape, features: Self.version1, usedQueueCount: 1)
    let player = guest.player
    var fences = Fences()
    let info = try fences.ask(
      player, GPURequest.getDisplayInfo(), GPURequest.displayInfo, byteCount: GPURequest.displayInfoByteCount)
    #expect(info[8...10] == [320, 200, 1])
    let memory = player.memory(width: 320, height: 200)
    _ = try fences.ask(player, GPURequest.create2D(1, width: 320, height: 200))
    _ = try fences.ask(player, GPURequest.attachBacking(1, [(memory[0].address, 320 * 200 * 4)]))
    _ = try fences.ask(player, GPURequest.setScanout(1, width: 320, height: 200))
    _ = try fences.ask(player, GPURequest.transfer(1, width: 320, height: 200))
    _ = try fences.ask(player, GPURequest.flush(1, width: 320, height: 200))
    #expect(try guest.pixels([(0, 0), (319, 199)], until: [0, 0]) == [0, 0])

    // A character cell, then a pixel.
    for row in 32..<48 { player.ram.fill(memory[0].address + UInt64((row * 320 + 8) * 4), 8, pixels: 0xAA_AAAA) }
    _ = try fences.ask(player, GPURequest.transfer(1, x: 8, y: 32, width: 8, height: 16, offset: (32 * 320 + 8) * 4))
    _ = try fences.ask(player, GPURequest.flush(1, x: 8, y: 32, width: 8, height: 16))
    player.ram.fill(memory[0].address + UInt64((199 * 320 + 319) * 4), 1, pixels: 0x12_3456)
    _ = try fences.ask(
      player, GPURequest.transfer(1, x: 319, y: 199, width: 1, height: 1, offset: (199 * 320 + 319) * 4))
    _ = try fences.ask(player, GPURequest.flush(1, x: 319, y: 199, width: 1, height: 1))
    let wanted: [UInt32] = [0xAA_AAAA, 0xAA_AAAA, 0, 0, 0x12_3456]
    #expect(try guest.pixels([(8, 32), (15, 47), (7, 32), (16, 47), (319, 199)], until: wanted) == wanted)
    #expect(guest.backend.isRunning)
  }

  /// OpenBSD (sys/dev/pv/viogpu): every command fenced, the whole screen transferred and flushed every 10 ms, changed or
  /// not.
  @Test(arguments: [Frontend.Shape.completeDevice, .vhostUserGPU])
  func `OpenBSD's repainting console is shown`(shape: Frontend.Shape) throws {
    let guest = try PlayedGuest(shape: shape, features: Self.version1)
    let player = guest.player
    var fences = Fences()
    _ = try fences.ask(
      player, GPURequest.getDisplayInfo(), GPURequest.displayInfo, byteCount: GPURequest.displayInfoByteCount)
    let memory = player.memory(width: 320, height: 200)
    _ = try fences.ask(player, GPURequest.create2D(1, width: 320, height: 200))
    _ = try fences.ask(player, GPURequest.attachBacking(1, [(memory[0].address, 320 * 200 * 4)]))
    _ = try fences.ask(player, GPURequest.setScanout(1, width: 320, height: 200))
    let loop = try EventLoop()
    for repaint in 1...60 {
      if repaint % 20 == 0 { player.ram.fill(memory[0].address, 320 * 200, pixels: UInt32(repaint)) }
      _ = try fences.ask(player, GPURequest.transfer(1, width: 320, height: 200))
      _ = try fences.ask(player, GPURequest.flush(1, width: 320, height: 200))
      try loop.idle(milliseconds: 10)
    }
    #expect(try guest.pixels([(0, 0), (319, 199)], until: [60, 60]) == [60, 60])
  }

  /// SerenityOS (Kernel/Devices/GPU/VirtIO): no fences, EDID before anything, an entry per page, a new resource for a new
  /// size while the old one is on screen, the back buffer at an offset of the same memory.
  @Test(arguments: [Frontend.Shape.completeDevice, .vhostUserGPU])
  func `SerenityOS changes its mode and flips between two buffers`(shape: Frontend.Shape) throws {
    let guest = try PlayedGuest(shape: shape, features: Self.version1 | Self.edidFeature)
    let player = guest.player
    let edid = try player.ask(GPURequest.getEDID(0), GPURequest.edid, byteCount: GPURequest.edidByteCount)
    #expect(edid[6] >= 128 && edid[8] == 0xFFFF_FF00, "an EDID begins with 00 FF FF FF FF FF FF 00")
    var resource: UInt32 = 0
    for (width, height) in [(320, 200), (240, 160), (320, 200)] {
      let byteCount = (width * height * 4 + 4095) / 4096 * 4096
      let base = player.ram.allocate(2 * byteCount, alignment: 4096)
      var buffers: [(resource: UInt32, address: UInt64)] = []
      for index in 0..<2 {
        let address = base + UInt64(index * byteCount)
        if index == 0, resource > 0 {
          try player.ask(GPURequest.unref(resource - 1))
          try player.ask(GPURequest.unref(resource))
        }
        resource += 1
        try player.ask(GPURequest.create2D(resource, width: width, height: height))
        let pages = stride(from: 0, to: byteCount, by: 4096).map { (address + UInt64($0), 4096) }
        try player.ask(GPURequest.attachBacking(resource, pages))
        try player.ask(GPURequest.setScanout(resource, width: width, height: height))
        buffers.append((resource, address))
      }
      for flip in 1...6 {
        let buffer = buffers[flip % 2]
        let colour = UInt32(width + flip)
        player.ram.fill(buffer.address, width * height, pixels: colour)
        try player.ask(GPURequest.transfer(buffer.resource, width: width, height: height))
        try player.ask(GPURequest.setScanout(buffer.resource, width: width, height: height))
        try player.ask(GPURequest.flush(buffer.resource, width: width, height: height))
        let wanted = [colour, colour]
        #expect(try guest.pixels([(0, 0), (width - 1, height - 1)], until: wanted) == wanted)
      }
    }
  }

  /// Windows (virtio-win's viogpudo): memory in pieces, parts of the screen with their offset, a pointer of 64x64 on the
  /// cursor queue whose visibility is the resource's number in MOVE_CURSOR, and a screen that is taken down and made anew.
  @Test(arguments: [Frontend.Shape.completeDevice, .vhostUserGPU])
  func `Windows' desktop and pointer are shown, hidden and shown again`(shape: Frontend.Shape) throws {
    let guest = try PlayedGuest(shape: shape, features: Self.version1 | Self.edidFeature)
    let player = guest.player
    _ = try player.ask(
      GPURequest.getDisplayInfo(), GPURequest.displayInfo, byteCount: GPURequest.displayInfoByteCount)
    let pointer = player.memory(width: 64, height: 64)
    try player.ask(GPURequest.create2D(9, width: 64, height: 64, format: GPURequest.cursorFormat))
    try player.ask(GPURequest.attachBacking(9, pointer))
    player.ram.fill(pointer[0].address, 64 * 64, pixels: 0xFFFF_0000)
    try player.ask(GPURequest.transfer(9, width: 64, height: 64))

    for round in 1...2 {
      let screen = UInt32(round)
      let memory = player.memory(width: 320, height: 200, pieceBytes: 16384)
      try player.ask(GPURequest.create2D(screen, width: 320, height: 200))
      try player.ask(GPURequest.attachBacking(screen, memory))
      try player.ask(GPURequest.setScanout(screen, width: 320, height: 200))
      for piece in memory { player.ram.fill(piece.address, piece.byteCount / 4, pixels: 0x00_0080) }
      try player.ask(GPURequest.transfer(screen, width: 320, height: 200))
      try player.ask(GPURequest.flush(screen, width: 320, height: 200))
      // The second piece of the picture: rows 12.8 to 25.6.
      player.ram.fill(memory[1].address, memory[1].byteCount / 4, pixels: 0x00_8000)
      try player.ask(GPURequest.transfer(screen, y: 13, width: 320, height: 12, offset: 13 * 320 * 4))
      try player.ask(GPURequest.flush(screen, y: 13, width: 320, height: 12))
      let desktop: [UInt32] = [0x00_0080, 0x00_8000, 0x00_0080]
      let places = [(0, 0), (5, 20), (5, 100)]
      #expect(try guest.pixels(places, until: desktop) == desktop)

      try player.move(GPURequest.cursor(9, x: 5, y: 100, hotX: 3, hotY: 2))
      let pointed: [UInt32] = [0x00_0080, 0x00_8000, 0xFF_0000]
      #expect(try guest.pixels(places, until: pointed) == pointed)
      try player.move(GPURequest.cursor(0, x: 5, y: 100, isMove: true))
      #expect(try guest.pixels(places, until: desktop) == desktop)
      try player.move(GPURequest.cursor(9, x: 4, y: 99, isMove: true))
      #expect(try guest.pixels(places, until: pointed) == pointed)
      try player.move(GPURequest.cursor(0, x: 0, y: 0))

      // DestroyFrameBufferObj.
      try player.ask(GPURequest.setScanout(0, width: 320, height: 200))
      try player.ask(GPURequest.unref(screen))
    }
    #expect(guest.backend.isRunning)
  }

  // MARK: - Large screens

  @Test func `a guest flips in 8K on vhost-user-gpu`() throws {
    let (width, height) = (7680, 4320)
    let guest = try PlayedGuest(
      outputs: ["headless:\(width)x\(height)@60"], shape: .vhostUserGPU, ramBytes: 2 * width * height * 4 + (4 << 20))
    let player = guest.player
    var memory: [[GuestPiece]] = []
    for resource in UInt32(1)...2 {
      memory.append(player.memory(width: width, height: height))
      try player.ask(GPURequest.create2D(resource, width: width, height: height))
      try player.ask(GPURequest.attachBacking(resource, memory[memory.count - 1]))
    }
    for flip in 1...6 {
      let resource = UInt32(flip % 2 + 1)
      player.ram.fill(memory[flip % 2][0].address, width * height, pixels: UInt32(flip) << 8)
      try player.ask(GPURequest.transfer(resource, width: width, height: height))
      try player.ask(GPURequest.setScanout(resource, width: width, height: height))
      try player.ask(GPURequest.flush(resource, width: width, height: height))
    }
    let wanted: [UInt32] = [6 << 8, 6 << 8]
    #expect(try guest.pixels([(0, 0), (width - 1, height - 1)], until: wanted) == wanted)
    #expect(!guest.backend.text(.error).contains("limit"))
  }

  @Test func `three heads in 4K have a console and three buffers each`() throws {
    let (width, height) = (3840, 2160)
    let byteCount = width * height * 4
    let guest = try PlayedGuest(
      outputs: Array(repeating: "headless:\(width)x\(height)@60", count: 3), shape: .vhostUserGPU,
      ramBytes: 10 * byteCount + (16 << 20), ["--outputs", "headless-0,headless-1,headless-2"])
    let player = guest.player
    var resource: UInt32 = 1
    let console = player.memory(width: width, height: height)
    try player.ask(GPURequest.create2D(1, width: width, height: height))
    try player.ask(GPURequest.attachBacking(1, console))
    for head in UInt32(0)..<3 {
      try player.ask(GPURequest.setScanout(1, width: width, height: height, scanout: head))
    }
    try player.ask(GPURequest.transfer(1, width: width, height: height))
    try player.ask(GPURequest.flush(1, width: width, height: height))
    for buffer in 0..<3 {
      for head in UInt32(0)..<3 {
        resource += 1
        let memory = player.memory(width: width, height: height)
        player.ram.fill(memory[0].address, width * height, pixels: UInt32(buffer * 16) + head + 1)
        try player.ask(GPURequest.create2D(resource, width: width, height: height))
        try player.ask(GPURequest.attachBacking(resource, memory))
        try player.ask(GPURequest.transfer(resource, width: width, height: height))
        try player.ask(GPURequest.setScanout(resource, width: width, height: height, scanout: head))
        try player.ask(GPURequest.flush(resource, width: width, height: height))
      }
    }
    for head in UInt32(0)..<3 {
      #expect(try guest.pixels([(0, 0)], scanout: head, until: [33 + head]) == [33 + head])
    }
    #expect(!guest.backend.text(.error).contains("limit"))
  }
}
