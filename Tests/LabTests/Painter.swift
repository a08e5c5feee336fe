import GraphicsMemory
import LinuxIO
import PresentClient
import PresentProtocol
import Scanout
import StatusModel
import Testing

/// A client that draws into the daemon's host buffers.
final class Painter {
  private let loop: EventLoop
  private let client: PresentClient
  private var buffers: [PresentBuffer] = []
  private var busy: Set<UInt32> = []
  private var frame: UInt64 = 0
  private var lastDone: UInt64 = 0
  private var generation: UInt32 = 1

  init(host: LabHost, name: String) throws {
    loop = try EventLoop()
    client = try PresentClient(
      loop: loop, path: host.socket, hello: Hello(kind: .container, name: name, scanoutCount: 1))
    client.onEvent = { [unowned self] event in
      switch event {
      case .frameDone(let done): lastDone = max(lastDone, done.frame)
      case .released(let id, scanout: _): busy.remove(id)
      default: break
      }
    }
    try client.start()
    try loop.run { client.output(0) != nil }
  }

  /// A buffer that is not in use; created if there is none.
  func nextBuffer(width: Int, height: Int) throws -> PresentBuffer {
    func isFit(_ buffer: PresentBuffer) -> Bool {
      buffer.mapped.layout.width == width && buffer.mapped.layout.height == height && !busy.contains(buffer.id)
    }
    if let free = buffers.first(where: isFit) { return free }
    let buffer = try client.createBuffer(scanout: 0, width: width, height: height, format: .xrgb8888)
    buffers.append(buffer)
    return buffer
  }

  /// A buffer after a move to another output or layout, whose buffers are others.
  func freshBuffer(width: Int, height: Int) throws -> PresentBuffer {
    try loop.run { (client.output(0)?.generation ?? 0) > generation }
    generation = client.output(0)?.generation ?? 0
    buffers.removeAll()
    busy.removeAll()
    return try nextBuffer(width: width, height: height)
  }

  func fill(_ buffer: PresentBuffer, with colour: UInt32) {
    let layout = buffer.mapped.layout
    draw(.solid(colour, width: layout.width, height: layout.height), in: buffer)
  }

  func draw(_ picture: Picture, in buffer: PresentBuffer) {
    let mapped = buffer.mapped
    mapped.beginAccess()
    picture.pixels.withUnsafeBytes { pixels in
      for y in 0..<picture.height {
        let row = UnsafeRawBufferPointer(rebasing: pixels[y * picture.width * 4..<(y + 1) * picture.width * 4])
        UnsafeMutableRawBufferPointer(start: mapped.pixels + y * mapped.layout.strideBytes, count: row.count)
          .copyMemory(from: row)
      }
    }
    mapped.endAccess()
  }

  /// Presents a buffer and waits until it is on screen.
  func show(_ buffer: PresentBuffer) throws {
    frame += 1
    busy.insert(buffer.id)
    client.present(
      PresentFrame(scanout: 0, frame: frame, bufferID: buffer.id, source: buffer.mapped.layout.bounds, path: .copy))
    try loop.run { lastDone >= frame }
  }
}

extension [Painter] {
  /// Shows noise, another one by each, and expects it in the tiles of a grid that they fill row by row.
  func showNoise(
    on output: DaemonStatus.Output, columns: Int, rows: Int, seed: UInt32, expectedBy host: LabHost,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let (width, height) = (output.width / columns, output.height / rows)
    var wanted = Picture.solid(0, width: output.width, height: output.height)
    for (index, painter) in enumerated() {
      let picture = Picture.noise(width: width, height: height, seed: seed + UInt32(index))
      wanted.put(picture, x: index % columns * width, y: index / columns * height)
      let buffer = try painter.nextBuffer(width: width, height: height)
      painter.draw(picture, in: buffer)
      try painter.show(buffer)
    }
    try host.expect(output: output.name, shows: wanted, location)
  }
}
