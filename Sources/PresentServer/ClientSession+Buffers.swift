import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension ClientSession {
  func createBuffer(_ create: CreateBuffer, _ request: UInt64) {
    guard let (head, presenter) = target(create.scanout, create.generation, create.bufferID, request) else { return }
    do {
      let buffer: any ScanoutBuffer
      var composeReason: String?
      switch create.usage {
      case .cursor: buffer = try presenter.output.makeCursorBuffer()
      case .frame:
        let sizes = 1...UInt32(FrameLayout.maxDimension)
        guard sizes.contains(create.width), sizes.contains(create.height) else {
          return refuse(.refused, create.scanout, "no buffer has \(create.width)x\(create.height) pixels", request)
        }
        let byteCount = Int(create.width) * Int(create.height) * PixelFormat.bytesPerPixel
        if let why = account.objection(to: byteCount) { return refuse(.noMemory, create.scanout, why, request) }
        (buffer, composeReason) = try frameBuffer(create, presenter)
      }
      if let why = account.objection(to: buffer.byteCount) { return refuse(.noMemory, create.scanout, why, request) }
      let fd = SharedFD(try buffer.descriptor())
      let made = ClientBuffer(
        id: create.bufferID, buffer: buffer, usage: create.usage, isImported: false, composeReason: composeReason,
        head: head, account: account)
      head.buffers[create.bufferID] = made
      answer(made, fd: fd, request)
    } catch {
      refuse(isOutOfMemory(error) ? .noMemory : .refused, create.scanout, "\(error)", request)
    }
  }

  /// A buffer of the output, or one of ours where the output could not show it.
  private func frameBuffer(
    _ create: CreateBuffer, _ presenter: Presenter
  ) throws(OutputError) -> (any ScanoutBuffer, String?) {
    let (width, height) = (Int(create.width), Int(create.height))
    let output = presenter.output
    if presenter.layout.isTiled {
      guard
        let layout = FrameLayout(
          width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: create.format.opaque)
      else { throw .rejected("\(width)x\(height) is no picture size") }
      return (try ShadowBuffer(layout: layout), "\(presenter.name) is shared")
    }
    // A screen has no alpha: a client's fourth byte is of no meaning there.
    let buffer = try output.makeBuffer(width: width, height: height, format: create.format.opaque)
    guard case .compose(let why) = output.fit(buffer, source: Rect(width: width, height: height)),
      let layout = FrameLayout(
        width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: create.format.opaque)
    else { return (buffer, nil) }
    return (try ShadowBuffer(layout: layout), why)
  }

  func importBuffer(_ imported: ImportBuffer, _ request: UInt64, _ fds: inout ReceivedFDs) {
    guard let (head, _) = target(imported.scanout, imported.generation, imported.bufferID, request) else {
      return
    }
    do throws(PresentProtocolError) {
      let memory: ImportedMemory
      switch imported.memoryKind {
      case .dmaBuf:
        guard let fd = fds.take(0) else { throw .malformed("IMPORT_BUFFER without its dma-buf") }
        memory = .dmaBuf(SharedFD(fd))
      case .memfd:
        let (ranges, files) = try ImportRanges.read(count: imported.rangeCount, fds: &fds)
        do throws(MemoryRangeError) {
          memory = .memfd(try MemoryRange.checked(ranges, descriptors: files, layout: imported.layout), files)
        } catch {
          return refuse(.refused, imported.scanout, error.description, request)
        }
      }
      do throws(OutputError) {
        let made = try importedBuffer(
          memory, id: imported.bufferID, layout: imported.layout, modifier: imported.modifier, head: head)
        head.buffers[imported.bufferID] = made
        answer(made, fd: nil, request)
      } catch {
        refuse(.refused, imported.scanout, error.description, request)
      }
    } catch {
      fail(.malformed, error.description)
    }
  }

  /// A client's own memory as a buffer of the output that its scanout is on.
  func importedBuffer(
    _ memory: ImportedMemory, id: UInt32, layout: FrameLayout, modifier: UInt64, head: Head
  ) throws(OutputError) -> ClientBuffer {
    guard let presenter = head.presenter else { throw .gone("the scanout is on no output") }
    let buffer = try presenter.output.importBuffer(memory, layout: layout, modifier: modifier)
    if !presenter.layout.isTiled, let why = reasonToCopy(buffer, presenter.output) { throw .rejected(why) }
    return ClientBuffer(
      id: id, buffer: buffer, usage: .frame, isImported: true, composeReason: nil, head: head, account: account)
  }

  /// Why a client's picture would be composed where one in a host buffer would be shown as it is; nil otherwise.
  ///
  /// A picture of a size that the output has not is composed either way: then straight from the client's memory.
  private func reasonToCopy(_ buffer: any ScanoutBuffer, _ output: any Output) -> String? {
    let layout = buffer.layout
    guard case .compose(let why) = output.fit(buffer, source: layout.bounds),
      let host = try? output.makeBuffer(width: layout.width, height: layout.height, format: layout.format.opaque)
    else { return nil }
    if case .compose = output.fit(host, source: layout.bounds) { return nil }
    return why
  }

  func destroyBuffer(_ id: UInt32) {
    for head in heads {
      if let buffer = head.buffers.removeValue(forKey: id) {
        buffer.head = nil
        return
      }
    }
  }

  func present(_ present: Present, _ fds: inout ReceivedFDs) {
    guard let head = head(present.scanout), head.tile != nil else { return }
    guard head.feed == nil else {
      return fail(.malformed, "PRESENT on scanout \(present.scanout), whose frames come from a region")
    }
    head.counters.presented += 1
    head.counters.cpuCopies += UInt64(present.copies)
    head.counters.copiedBytes &+= present.copiedBytes
    head.trace.begin(present, at: monotonicNanoseconds())
    guard present.generation == head.generation else { return head.frameDone(present.frame, .superseded) }
    guard let buffer = head.buffers[present.bufferID], buffer.usage == .frame else {
      return fail(.noSuchBuffer, "PRESENT of buffer \(present.bufferID), which was never made")
    }
    guard buffer.buffer.layout.bounds.contains(present.source) else {
      let source = present.source
      return fail(
        .malformed, "PRESENT of (\(source.x), \(source.y)) \(source.width)x\(source.height) of a smaller buffer")
    }
    let frame = Presenter.Frame(
      buffer: buffer, number: present.frame, source: present.source,
      damage: present.damage.isEmpty ? DamageRegion(present.source) : present.damage,
      readyNanoseconds: present.readyNanoseconds)
    guard present.hasAcquireFence else {
      buffer.lastFrame = present.frame
      return head.show(frame)
    }
    // Polling a file of another kind could wait for whoever serves it.
    guard let fence = fds.take(0), AnonymousFile(of: fence.raw) != nil else {
      return fail(.malformed, "PRESENT's acquire fence is neither a sync file nor an eventfd")
    }
    buffer.lastFrame = present.frame
    head.show(frame, after: SharedFD(fence))
  }

  func setCursor(_ cursor: SetCursor) {
    guard let head = head(cursor.scanout), cursor.generation == head.generation else { return }
    guard let tile = head.tile else { return }
    guard let id = cursor.bufferID else { return tile.presenter.setCursor(nil, on: tile) }
    guard let buffer = head.buffers[id], buffer.usage == .cursor else {
      return fail(.noSuchBuffer, "CURSOR of buffer \(id), which was never made as one")
    }
    tile.presenter.setCursor(Presenter.Cursor(buffer: buffer, x: Int(cursor.x), y: Int(cursor.y)), on: tile)
  }

  /// Where a new buffer belongs; nil after an answer that says why not.
  private func target(
    _ scanout: UInt32, _ generation: UInt32, _ id: UInt32, _ request: UInt64
  ) -> (Head, Presenter)? {
    guard let head = head(scanout), let presenter = head.presenter else { return nil }
    guard generation == head.generation else {
      refuse(.stale, scanout, "scanout \(scanout) has moved to another output", request)
      return nil
    }
    guard heads.allSatisfy({ $0.buffers[id] == nil }) else {
      fail(.malformed, "buffer \(id) is in use")
      return nil
    }
    guard heads.reduce(0, { $0 + $1.buffers.count }) < server.options.bufferLimit else {
      refuse(.noMemory, scanout, "a client may hold \(server.options.bufferLimit) buffers", request)
      return nil
    }
    return (head, presenter)
  }

  private func answer(_ buffer: ClientBuffer, fd: SharedFD?, _ request: UInt64) {
    let layout = buffer.buffer.layout
    send(
      .buffer(
        BufferReply(
          bufferID: buffer.id, memoryKind: buffer.buffer.memoryKind, width: UInt32(layout.width),
          height: UInt32(layout.height), strideBytes: UInt32(layout.strideBytes),
          byteCount: fd == nil ? 0 : UInt64(buffer.buffer.byteCount)), request: request), fd: fd)
  }

  func refuse(_ code: PresentErrorCode, _ scanout: UInt32, _ text: String, _ request: UInt64) {
    send(.error(ErrorMessage(code: code, scanout: scanout, text: text), request: request))
  }

  private func isOutOfMemory(_ error: any Error) -> Bool {
    guard let error = error as? OutputError, case .system(let system) = error else { return false }
    return system.isShortage
  }
}
