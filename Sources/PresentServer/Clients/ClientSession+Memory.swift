import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// The buffer, scanout and generation that a buffer request names.
private struct BufferPlace {
  let buffer: BufferID
  let scanout: ScanoutID
  let generation: Generation

  init(_ create: CreateBuffer) {
    buffer = BufferID(wire: create.bufferID)
    scanout = ScanoutID(wire: create.scanout)
    generation = Generation(wire: create.generation)
  }

  init(_ imported: ImportBuffer) {
    buffer = BufferID(wire: imported.bufferID)
    scanout = ScanoutID(wire: imported.scanout)
    generation = Generation(wire: imported.generation)
  }
}

extension ClientSession {
  func createBuffer(_ create: CreateBuffer, _ number: RequestID) {
    let place = BufferPlace(create)
    guard let presenter = presenter(for: place, number) else { return }
    var (width, height) = (Int(create.width), Int(create.height))
    if create.usage == .cursor {
      let size = presenter.output.info.cursorSize
      width = size == 0 ? 64 : size
      height = width
    }
    let sizes = 1...FrameLayout.maxDimension
    guard sizes.contains(width), sizes.contains(height) else {
      return refuse(.refused, "invalid buffer size \(width)x\(height)", number, about: place.scanout)
    }
    requests.ask(BufferRequest(create, number, byteCount: width * height * PixelFormat.bytesPerPixel))
  }

  func importBuffer(_ imported: ImportBuffer, _ number: RequestID, _ fds: inout ReceivedFDs) {
    let place = BufferPlace(imported)
    guard let presenter = presenter(for: place, number) else { return }
    if imported.memoryKind == .memfd, hello?.kind == .vm, settings.outlastsGuest, !presenter.isTiled {
      let why = "a cap of \(settings.cappedHertz ?? 0) frames per second delays flips beyond a guest's timeout of 50 ms"
      return refuse(.refused, why, number, about: place.scanout)
    }
    do throws(PresentProtocolError) {
      let memory: ImportedMemory
      switch imported.memoryKind {
      case .dmaBuf:
        guard var fd = fds.take(0) else { throw .malformed("IMPORT_BUFFER without its dma-buf") }
        guard fd.identify() == .dmaBuf else {
          return refuse(.refused, "the descriptor is not a dma-buf", number, about: place.scanout)
        }
        memory = .dmaBuf(SharedFD(fd))
      case .memfd:
        let (ranges, files) = try ImportRanges.read(count: imported.rangeCount, fds: &fds)
        do throws(MemoryRangeError) {
          memory = .memfd(try MemoryRange.checked(ranges, descriptors: files, layout: imported.layout), files)
        } catch {
          return refuse(.refused, error.description, number, about: place.scanout)
        }
      }
      let byteCount = server.memory.settings.countsImports ? imported.layout.byteCount : 0
      requests.ask(BufferRequest(imported, memory, number, byteCount: byteCount))
    } catch {
      fail(.malformed, error.description)
    }
  }

  /// The output for a new buffer; nil if the request was refused, which has been reported to the client.
  private func presenter(for place: BufferPlace, _ number: RequestID) -> Presenter? {
    guard let surface = surface(place.scanout), let presenter = surface.presenter else { return nil }
    guard place.generation == surface.generation else {
      refuse(.stale, "scanout \(place.scanout) has moved to another output", number, about: place.scanout)
      return nil
    }
    let waiting = requests.waiting
    guard surfaces.allSatisfy({ $0.buffers[place.buffer] == nil }),
      !waiting.contains(where: { $0.buffer == place.buffer })
    else {
      fail(.malformed, "buffer ID \(place.buffer) is already in use")
      return nil
    }
    guard surfaces.reduce(waiting.count, { $0 + $1.buffers.count }) < server.limits.buffersPerClient else {
      let why = "a client may hold at most \(server.limits.buffersPerClient) buffers"
      refuse(.noMemory, why, number, about: place.scanout)
      return nil
    }
    if let why = server.clients.users.objection(toDescriptorsOf: self) {
      refuse(.noMemory, why, number, about: place.scanout)
      return nil
    }
    return presenter
  }

  private func answer(_ buffer: ClientBuffer, fd: SharedFD?, _ number: RequestID) {
    let layout = buffer.buffer.layout
    send(
      .buffer(
        BufferReply(
          bufferID: buffer.id.wire, memoryKind: buffer.buffer.memoryKind, width: UInt32(layout.width),
          height: UInt32(layout.height), strideBytes: UInt32(layout.strideBytes),
          byteCount: fd == nil ? 0 : UInt64(buffer.buffer.byteCount)), request: number.wire), fd: fd)
  }
}

extension ClientSession: BufferMaker {
  func refuse(_ wanted: BufferRequest, _ code: PresentErrorCode, _ text: String) {
    refuse(code, text, wanted.number, about: wanted.scanout)
  }

  func make(_ wanted: BufferRequest) {
    guard let surface = surface(wanted.scanout), let presenter = surface.presenter else {
      return account.giveBack(wanted.byteCount)
    }
    do {
      let made: (buffer: any ScanoutBuffer, composeReason: String?)
      switch wanted.origin {
      case .made(let create) where create.usage == .cursor: made = (try presenter.output.makeCursorBuffer(), nil)
      case .made(let create): made = try presenter.frameBuffer(create)
      case .imported(let imported, let memory):
        made = (try presenter.importedBuffer(memory, imported.layout, imported.modifier), nil)
      }
      let byteCount = wanted.byteCount == 0 ? 0 : made.buffer.byteCount
      if byteCount > wanted.byteCount, !account.extend(by: byteCount - wanted.byteCount) {
        // The driver's stride is larger than assumed: request the actual size.
        account.giveBack(wanted.byteCount)
        var larger = wanted
        larger.byteCount = byteCount
        larger.ticket = nil
        return requests.ask(larger)
      }
      account.giveBack(wanted.byteCount - byteCount)
      add(made.buffer, made.composeReason, wanted, surface, byteCount)
    } catch {
      account.giveBack(wanted.byteCount)
      refuse(wanted, isOutOfMemory(error) ? .noMemory : .refused, "\(error)")
    }
  }

  private func add(
    _ buffer: any ScanoutBuffer, _ composeReason: String?, _ wanted: BufferRequest, _ surface: Surface, _ byteCount: Int
  ) {
    var usage = BufferUsage.frame
    var isImported = true
    var pages: ClientPages?
    var dmaBuf: SharedFD?
    switch wanted.origin {
    case .made(let create): (usage, isImported) = (create.usage, false)
    case .imported(_, .memfd(let ranges, let owners)): pages = ClientPages(ranges, owners)
    case .imported(_, .dmaBuf(let fd)): dmaBuf = fd
    }
    // From here on the buffer returns its memory when it is freed.
    let made = ClientBuffer(
      id: wanted.buffer, buffer: buffer, usage: usage, isImported: isImported, composeReason: composeReason,
      surface: surface, account: account, chargedBytes: byteCount,
      descriptors: descriptors, pages: pages, dmaBuf: dmaBuf)
    do throws(OutputError) {
      let fd = isImported ? nil : SharedFD(try buffer.descriptor())
      surface.buffers[wanted.buffer] = made
      answer(made, fd: fd, wanted.number)
    } catch {
      refuse(wanted, isOutOfMemory(error) ? .noMemory : .refused, "\(error)")
    }
  }

  private func isOutOfMemory(_ error: any Error) -> Bool {
    guard let error = error as? OutputError, case .system(let system) = error else { return false }
    return system.isShortage
  }
}
