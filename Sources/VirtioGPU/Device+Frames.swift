import GraphicsMemory
import Scanout

extension Device {
  /// How long requests pause after the display had no buffer.
  static let refusalNanoseconds: UInt64 = 100_000_000

  /// Shows a rectangle of a resource on every scanout that it is bound to.
  ///
  /// - Parameter fence: the timeline of the answer; nil if the command has no fence.
  /// - Returns: a token if the response must wait for the flip.
  func flush(_ id: UInt32, rect: Rect, fence: FenceTimeline?) throws(GPUError) -> UInt64? {
    let resource = try find(id)
    let limit = resource.picture?.bounds ?? .empty
    if !resource.isBlob && !limit.contains(rect) { throw .invalidParameter }
    if resource.isBlob { markStale(resource, rect.intersection(limit)) }
    var waiting: UInt16 = 0
    var frames = InlineArray<16, UInt64>(repeating: 0)
    for scanout in scanouts where resource.scanouts & scanout.bit != 0 {
      guard let binding = scanout.binding else { continue }
      if rect.intersection(binding.source).isEmpty { continue }
      if resource.isBlob { _ = scanout.addDamage(rect, to: binding) }
      if scanout.damage.isNothing { continue }
      waiting |= scanout.bit
      scanout.wasFlushed = true
      frames[scanout.index] = scanout.nextFrame
      scanout.readyNanoseconds = clockNanoseconds
      present(scanout)
    }
    guard resource.isBlob, let fence, waiting != 0 else { return nil }
    if pendingAnswers.isFull { answerAll() }
    let deadline = isDisplayAway ? absentVblank(of: waiting) : flushDeadline
    return pendingAnswers.add(fence, deadlineNanoseconds: deadline, scanouts: waiting, frames: frames)
  }

  /// When a flush is answered while the display is disconnected: at the next vblank that the slowest of its monitors would
  /// have, so that a guest that is paced by its flips does not run as fast as it can.
  private func absentVblank(of waiting: UInt16) -> UInt64 {
    var period: UInt64 = 0
    for scanout in scanouts where waiting & scanout.bit != 0 {
      let rate = display.head(scanout.index)?.mode.refreshMillihertz ?? 0
      period = max(period, rate > 0 ? 1_000_000_000_000 / UInt64(rate) : 0)
    }
    if period == 0 { period = 1_000_000_000 / 60 }
    return min((clockNanoseconds / period &+ 1) &* period, flushDeadline)
  }

  /// Presents the scanout's picture, or marks it as due.
  func present(_ scanout: ScanoutState) {
    if isStopped {
      if let still = scanout.still { presentCopy(scanout, still) }
      return
    }
    guard let binding = scanout.binding else { return }
    if let buffer = directBuffer(scanout, binding) {
      presentDirectly(buffer, scanout, binding)
    } else {
      presentCopy(scanout, binding)
    }
    reportPath(scanout)
  }

  /// Presents a host buffer with the scanout's picture, or marks a frame as due.
  func presentCopy(_ scanout: ScanoutState, _ binding: Binding) {
    guard let buffer = prepare(scanout, binding) else {
      scanout.wantsPresent = true
      return
    }
    var frame = FrameSubmission(
      scanout: scanout.index, frame: 0, bufferID: buffer.host.id,
      source: Rect(width: binding.source.width, height: binding.source.height), damage: scanout.damage, path: .copy,
      copiedBytes: scanout.copiedBytes, readyNanoseconds: scanout.readyNanoseconds)
    frame.frame = scanout.noteFrame(of: buffer, binding)
    display.present(frame)
  }

  /// A host buffer with the binding's current picture; nil if no buffer is free, or there are no pixels.
  func prepare(_ scanout: ScanoutState, _ binding: Binding) -> PooledBuffer? {
    if isDisplayAway { return nil }
    let pool = scanout.pool(
      width: binding.source.width, height: binding.source.height, format: binding.picture.format.opaque
    ) { display.destroyBuffer($0.host.id) }
    let content = binding.content
    if let ready = pool.ready(content) { return ready }
    guard binding.resource.isReadable,
      let buffer = pool.free(for: content) ?? grow(pool, scanout) ?? pool.anyFree()
    else { return nil }
    pool.assign(content, to: buffer)
    refresh(buffer, of: pool, binding, scanout)
    return buffer
  }

  /// Copies a buffer's missing damage.
  private func refresh(_ buffer: PooledBuffer, of pool: FramePool, _ binding: Binding, _ scanout: ScanoutState) {
    let damage = pool.damage(of: buffer)
    let before = ledger.copiedBytes
    let mapped = buffer.host.mapped
    let stride = mapped.layout.strideBytes
    mapped.beginAccess()
    for index in 0..<damage.count {
      let rect = damage[index]
      let moved = Rect(
        x: rect.x + binding.source.x, y: rect.y + binding.source.y, width: rect.width, height: rect.height)
      // SAFETY: the damage is clipped to the pool's size, which `grow` found the buffer's layout to have.
      unsafe binding.resource.copy(
        moved, of: binding.picture,
        to: mapped.pixels + rect.y * stride + rect.x * PixelFormat.bytesPerPixel,
        destinationStrideBytes: stride, ledger: &ledger, workers: workers)
    }
    mapped.endAccess()
    pool.drawn(buffer)
    scanout.copiedBytes &+= ledger.copiedBytes &- before
  }

  /// Adds a host buffer if the pool's limit allows it and the display has one.
  private func grow(_ pool: FramePool, _ scanout: ScanoutState) -> PooledBuffer? {
    guard pool.canGrow, clockNanoseconds >= pool.refusedUntilNanoseconds ?? 0 else { return nil }
    guard
      let host = display.makeBuffer(
        scanout: scanout.index, width: pool.width, height: pool.height, format: pool.format)
    else {
      pool.refusedUntilNanoseconds = clockNanoseconds &+ Device.refusalNanoseconds
      return nil
    }
    guard host.mapped.layout.width == pool.width, host.mapped.layout.height == pool.height else {
      display.destroyBuffer(host.id)
      pool.refusedUntilNanoseconds = clockNanoseconds &+ Device.refusalNanoseconds
      return nil
    }
    return pool.add(host)
  }

  /// Tries the frames again that had no buffer.
  func retryFrames() {
    for scanout in scanouts where scanout.wantsPresent { present(scanout) }
  }
}
