import Scanout
import Testing

@Suite struct DamageRingTests {
  private let bounds = Rect(width: 100, height: 50)

  private func rects(_ region: DamageRegion) -> [Rect] { (0..<region.count).map { region[$0] } }

  @Test func `a new buffer lacks everything until it is drawn once`() {
    var ring = DamageRing(bufferCount: 2, bounds: bounds)
    #expect(rects(ring.takeDamage(ofBuffer: 0)) == [bounds])
    #expect(ring.damage(ofBuffer: 0).isEmpty)
    #expect(rects(ring.damage(ofBuffer: 1)) == [bounds])
  }

  @Test func `a buffer lacks the damage of all frames since it was drawn`() {
    var ring = DamageRing(bufferCount: 3, bounds: bounds)
    for buffer in 0..<3 { _ = ring.takeDamage(ofBuffer: buffer) }
    // Drawn in turn, as a swap chain is: each frame draws one buffer.
    let frames = (0..<5).map { Rect(x: 10 * $0, y: 0, width: 5, height: 5) }
    var drawn: [[Rect]] = []
    for (number, frame) in frames.enumerated() {
      ring.add(DamageRegion(frame))
      drawn.append(rects(ring.takeDamage(ofBuffer: number % 3)))
    }
    #expect(drawn[0] == [frames[0]])
    #expect(drawn[1] == [frames[0], frames[1]])
    #expect(drawn[2] == [frames[0], frames[1], frames[2]])
    #expect(drawn[3] == [frames[1], frames[2], frames[3]])
    #expect(drawn[4] == [frames[2], frames[3], frames[4]])
  }

  @Test func `a buffer that is not drawn collects at most its bounds`() {
    var ring = DamageRing(bufferCount: 2, bounds: bounds)
    for buffer in 0..<2 { _ = ring.takeDamage(ofBuffer: buffer) }
    for x in 0..<40 {
      ring.add(DamageRegion(Rect(x: 2 * x, y: x, width: 1, height: 1)))
      _ = ring.takeDamage(ofBuffer: 0)
    }
    let missing = ring.takeDamage(ofBuffer: 1)
    for x in 0..<40 {
      let pixel = Rect(x: 2 * x, y: x, width: 1, height: 1)
      #expect(rects(missing).contains { $0.contains(pixel) })
    }
    #expect(bounds.contains(missing.bounds))
  }

  @Test func `damage of one buffer is not the others'`() {
    var ring = DamageRing(bufferCount: 2, bounds: bounds)
    for buffer in 0..<2 { _ = ring.takeDamage(ofBuffer: buffer) }
    let part = Rect(x: 1, y: 2, width: 3, height: 4)
    ring.add(part, toBuffer: 1)
    #expect(ring.damage(ofBuffer: 0).isEmpty)
    #expect(rects(ring.damage(ofBuffer: 1)) == [part])
    ring.invalidate(buffer: 0, bounds: bounds)
    #expect(rects(ring.damage(ofBuffer: 0)) == [bounds])
    #expect(rects(ring.damage(ofBuffer: 1)) == [part])
    ring.invalidate(bounds: bounds)
    #expect(rects(ring.damage(ofBuffer: 1)) == [bounds])
  }

  @Test func `a swapchain that grows starts each buffer as unknown`() {
    var ring = DamageRing(bufferCount: 0, bounds: bounds)
    ring.addBuffer(bounds: bounds)
    _ = ring.takeDamage(ofBuffer: 0)
    ring.addBuffer(bounds: bounds)
    #expect(ring.bufferCount == 2)
    #expect(ring.damage(ofBuffer: 0).isEmpty)
    #expect(rects(ring.damage(ofBuffer: 1)) == [bounds])
    ring.removeBuffers()
    #expect(ring.bufferCount == 0)
  }
}
