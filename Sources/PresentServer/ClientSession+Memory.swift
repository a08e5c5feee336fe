import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A buffer that a client asks for.
struct BufferRequest {
  enum Origin {
    case made(CreateBuffer)
    case imported(ImportBuffer, ImportedMemory)
  }

  var origin: Origin
  /// The request's number; its answer repeats it.
  var number: UInt64
  /// Bytes that it takes of the memory that is shared out; 0 where it takes none of that.
  var byteCount: Int
  /// Its place among those who wait; nil while the client itself waits to be let in.
  var ticket: MemoryTicket?

  var bufferID: UInt32 {
    switch origin {
    case .made(let create): create.bufferID
    case .imported(let imported, _): imported.bufferID
    }
  }

  var scanout: UInt32 {
    switch origin {
    case .made(let create): create.scanout
    case .imported(let imported, _): imported.scanout
    }
  }

  var waits: Bool {
    switch origin {
    case .made(let create): create.waits
    case .imported(let imported, _): imported.waits
    }
  }
}

extension ClientSession {
  func createBuffer(_ create: CreateBuffer, _ number: UInt64) {
    guard let (_, presenter) = target(create.scanout, create.generation, create.bufferID, number) else { return }
    var (width, height) = (Int(create.width), Int(create.height))
    if create.usage == .cursor {
      let size = presenter.output.info.cursorSize
      width = size == 0 ? 64 : size
      height = width
    }
    let sizes = 1...FrameLayout.maxDimension
    guard sizes.contains(width), sizes.contains(height) else {
      return refuse(.refused, create.scanout, "no buffer has \(width)x\(height) pixels", number)
    }
    ask(
      BufferRequest(origin: .made(create), number: number, byteCount: width * height * PixelFormat.bytesPerPixel))
  }

  func importBuffer(_ imported: ImportBuffer, _ number: UInt64, _ fds: inout ReceivedFDs) {
    guard let (_, presenter) = target(imported.scanout, imported.generation, imported.bufferID, number) else { return }
    if imported.memoryKind == .memfd, hello?.kind == .vm, settings.outlastsGuest, !presenter.isTiled {
      let why = "a guest waits 50 ms for a flip, not for those of a cap of \(settings.cappedHertz ?? 0) frames a second"
      return refuse(.refused, imported.scanout, why, number)
    }
    do throws(PresentProtocolError) {
      let memory: ImportedMemory
      switch imported.memoryKind {
      case .dmaBuf:
        guard let fd = fds.take(0) else { throw .malformed("IMPORT_BUFFER without its dma-buf") }
        guard AnonymousFile(of: fd.raw) == .dmaBuf else {
          return refuse(.refused, imported.scanout, "the descriptor is no dma-buf", number)
        }
        memory = .dmaBuf(SharedFD(fd))
      case .memfd:
        let (ranges, files) = try ImportRanges.read(count: imported.rangeCount, fds: &fds)
        do throws(MemoryRangeError) {
          memory = .memfd(try MemoryRange.checked(ranges, descriptors: files, layout: imported.layout), files)
        } catch {
          return refuse(.refused, imported.scanout, error.description, number)
        }
      }
      let byteCount = server.memory.settings.countsImports ? imported.layout.byteCount : 0
      ask(BufferRequest(origin: .imported(imported, memory), number: number, byteCount: byteCount))
    } catch {
      fail(.malformed, error.description)
    }
  }

  // MARK: - Waiting

  /// Makes a buffer, or has its request wait until there is memory for it.
  private func ask(_ wanted: BufferRequest) {
    if wanted.byteCount == 0 { return make(wanted) }
    if account.admissionTicket != nil { return keep(wanted) }
    switch account.request(wanted.byteCount) {
    case .granted: make(wanted)
    case .suspended(let ticket):
      var waiting = wanted
      waiting.ticket = ticket
      keep(waiting)
    case .refused(let why): refuse(.noMemory, wanted.scanout, text(wanted.byteCount, why), wanted.number)
    }
  }

  private func keep(_ wanted: BufferRequest) {
    if wanted.waits { return waitingRequests.append(wanted) }
    if let ticket = wanted.ticket { account.withdraw(ticket) }
    refuse(.noMemory, wanted.scanout, text(wanted.byteCount, nil), wanted.number)
  }

  /// Goes on with what waited for memory; false where nobody wants it any more.
  func decided(_ decision: MemoryDecision) -> Bool {
    account.decided(decision)
    defer { askAgain() }
    guard let place = waitingRequests.firstIndex(where: { $0.ticket == decision.ticket }) else { return false }
    let wanted = waitingRequests.remove(at: place)
    switch decision.reply {
    case .granted: make(wanted)
    case .refused(let why): refuse(.noMemory, wanted.scanout, text(wanted.byteCount, why), wanted.number)
    case .suspended: break
    }
    return true
  }

  /// Goes on with what waited for the client to be let in.
  private func askAgain() {
    guard account.admissionTicket == nil else { return }
    let held = waitingRequests.filter { $0.ticket == nil }
    waitingRequests.removeAll { $0.ticket == nil }
    for wanted in held { ask(wanted) }
  }

  /// The client does not want a buffer any more for which it waits; false where it waits for none of that name.
  func withdrawRequest(for id: UInt32) -> Bool {
    guard let place = waitingRequests.firstIndex(where: { $0.bufferID == id }) else { return false }
    let wanted = waitingRequests.remove(at: place)
    if let ticket = wanted.ticket { account.withdraw(ticket) }
    refuse(.noMemory, wanted.scanout, "buffer \(id) was destroyed before there was memory for it", wanted.number)
    askAgain()
    return true
  }

  /// A scanout moves: what waits for buffers of its last generation has its answer.
  func withdrawRequests(of scanout: Int) {
    for wanted in waitingRequests where wanted.scanout == UInt32(scanout) {
      if let ticket = wanted.ticket { account.withdraw(ticket) }
      refuse(.stale, wanted.scanout, "scanout \(scanout) has moved to another output", wanted.number)
    }
    waitingRequests.removeAll { $0.scanout == UInt32(scanout) }
    askAgain()
  }

  /// Why so many bytes cannot be had; nil: they could be had later.
  func text(_ byteCount: Int, _ why: MemoryRefusal?) -> String {
    switch why {
    case .exceedsMaximum?:
      return "\(byteCount) bytes more than the \(account.usedBytes) held would exceed the limit of "
        + "\(account.limitBytes) bytes"
    case .queueIsFull?: return "too many requests for memory wait already"
    case nil, .exceedsCapacity?, .unknownVM?, .duplicateVM?, .byteCountOutOfRange?, .timedOut?:
      let memory = server.memory
      return "\(byteCount) bytes more cannot be had now: all hold \(memory.usedBytes) of the daemon's "
        + "\(memory.settings.capacityBytes) bytes, and the rest is kept so that nobody has to wait for ever"
    }
  }

  // MARK: - Making

  /// Makes a buffer of the memory that was granted for it, and answers.
  private func make(_ wanted: BufferRequest) {
    guard let head = head(wanted.scanout), let presenter = head.presenter else {
      return account.giveBack(wanted.byteCount)
    }
    do {
      let made: (buffer: any ScanoutBuffer, composeReason: String?)
      switch wanted.origin {
      case .made(let create) where create.usage == .cursor: made = (try presenter.output.makeCursorBuffer(), nil)
      case .made(let create): made = try frameBuffer(create, presenter)
      case .imported(let imported, let memory):
        made = (try importedBuffer(memory, imported.layout, imported.modifier, presenter), nil)
      }
      let byteCount = wanted.byteCount == 0 ? 0 : made.buffer.byteCount
      if byteCount > wanted.byteCount, !account.extend(by: byteCount - wanted.byteCount) {
        // The driver's rows are longer than ours: it waits for the true size.
        account.giveBack(wanted.byteCount)
        var larger = wanted
        larger.byteCount = byteCount
        larger.ticket = nil
        return ask(larger)
      }
      account.giveBack(wanted.byteCount - byteCount)
      add(made.buffer, made.composeReason, wanted, head, byteCount)
    } catch {
      account.giveBack(wanted.byteCount)
      refuse(isOutOfMemory(error) ? .noMemory : .refused, wanted.scanout, "\(error)", wanted.number)
    }
  }

  private func add(
    _ buffer: any ScanoutBuffer, _ composeReason: String?, _ wanted: BufferRequest, _ head: Surface, _ byteCount: Int
  ) {
    var usage = BufferUsage.frame
    var isImported = true
    if case .made(let create) = wanted.origin { (usage, isImported) = (create.usage, false) }
    // From here on the buffer gives its memory back itself.
    let made = ClientBuffer(
      id: wanted.bufferID, buffer: buffer, usage: usage, isImported: isImported, composeReason: composeReason,
      head: head, account: account, chargedBytes: byteCount)
    do throws(OutputError) {
      let fd = isImported ? nil : SharedFD(try buffer.descriptor())
      head.buffers[wanted.bufferID] = made
      answer(made, fd: fd, wanted.number)
    } catch {
      refuse(isOutOfMemory(error) ? .noMemory : .refused, wanted.scanout, "\(error)", wanted.number)
    }
  }

  /// A buffer of the output, or one of ours where the output could not show it.
  private func frameBuffer(
    _ create: CreateBuffer, _ presenter: Presenter
  ) throws(OutputError) -> (any ScanoutBuffer, String?) {
    let (width, height) = (Int(create.width), Int(create.height))
    let output = presenter.output
    if presenter.sharing.layout.isTiled {
      guard
        let layout = FrameLayout(
          width: width, height: height, strideBytes: ShadowBuffer.strideBytes(width: width, planesOf: output),
          format: create.format.opaque)
      else { throw .rejected("\(width)x\(height) is no picture size") }
      return (try ShadowBuffer(layout: layout, planesOf: output), "\(presenter.name) is shared")
    }
    // A screen has no alpha: a client's fourth byte is of no meaning there.
    let buffer = try output.makeBuffer(width: width, height: height, format: create.format.opaque)
    let source = Rect(width: width, height: height)
    guard case .compose(let why) = output.fit(buffer, source: source, keeping: presenter.keptMode),
      let layout = FrameLayout(
        width: width, height: height, strideBytes: width * PixelFormat.bytesPerPixel, format: create.format.opaque)
    else { return (buffer, nil) }
    return (try ShadowBuffer(layout: layout), why)
  }

  func importedBuffer(
    _ memory: ImportedMemory, _ layout: FrameLayout, _ modifier: UInt64, _ presenter: Presenter
  ) throws(OutputError) -> any ScanoutBuffer {
    let buffer = try presenter.output.importBuffer(memory, layout: layout, modifier: modifier)
    if !presenter.sharing.layout.isTiled, let why = reasonToCopy(buffer, presenter) { throw .rejected(why) }
    return buffer
  }

  /// Why a client's picture would be composed where one in a host buffer would be shown as it is; nil otherwise.
  ///
  /// A picture of a size that the output has not is composed either way: then straight from the client's memory.
  private func reasonToCopy(_ buffer: any ScanoutBuffer, _ presenter: Presenter) -> String? {
    let layout = buffer.layout
    let (output, kept) = (presenter.output, presenter.keptMode)
    guard case .compose(let why) = output.fit(buffer, source: layout.bounds, keeping: kept),
      let host = try? output.makeBuffer(width: layout.width, height: layout.height, format: layout.format.opaque)
    else { return nil }
    if case .compose = output.fit(host, source: layout.bounds, keeping: kept) { return nil }
    return why
  }

  /// Where a new buffer belongs; nil after an answer that says why not.
  private func target(
    _ scanout: UInt32, _ generation: UInt32, _ id: UInt32, _ request: UInt64
  ) -> (Surface, Presenter)? {
    guard let head = head(scanout), let presenter = head.presenter else { return nil }
    guard generation == head.generation else {
      refuse(.stale, scanout, "scanout \(scanout) has moved to another output", request)
      return nil
    }
    guard heads.allSatisfy({ $0.buffers[id] == nil }), !waitingRequests.contains(where: { $0.bufferID == id }) else {
      fail(.malformed, "buffer \(id) is in use")
      return nil
    }
    guard heads.reduce(waitingRequests.count, { $0 + $1.buffers.count }) < server.options.bufferLimit else {
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
    send(.error(ErrorMessage(code: code, scanout: scanout, text: text.printable), request: request))
  }

  private func isOutOfMemory(_ error: any Error) -> Bool {
    guard let error = error as? OutputError, case .system(let system) = error else { return false }
    return system.isShortage
  }
}
