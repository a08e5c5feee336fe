import FrameScheduler
import Outputs
import PresentProtocol

/// A buffer that a client asks for.
struct BufferRequest {
  enum Origin {
    case made(CreateBuffer)
    case imported(ImportBuffer, ImportedMemory)
  }

  let origin: Origin
  let buffer: BufferID
  let scanout: ScanoutID
  /// Whether the client waits for the answer until there is memory.
  let waits: Bool
  let number: RequestID
  /// Bytes of the memory that is shared out among the clients; 0 where the buffer takes none of it.
  var byteCount: Int
  /// Its place in the queue for memory; nil while the client itself waits to be let in.
  var ticket: MemoryTicket?

  init(_ create: CreateBuffer, _ number: RequestID, byteCount: Int) {
    origin = .made(create)
    buffer = BufferID(wire: create.bufferID)
    scanout = ScanoutID(wire: create.scanout)
    waits = create.waits
    self.number = number
    self.byteCount = byteCount
  }

  init(_ imported: ImportBuffer, _ memory: ImportedMemory, _ number: RequestID, byteCount: Int) {
    origin = .imported(imported, memory)
    buffer = BufferID(wire: imported.bufferID)
    scanout = ScanoutID(wire: imported.scanout)
    waits = imported.waits
    self.number = number
    self.byteCount = byteCount
  }
}

/// Makes the buffers of requests that have their memory, and refuses the others.
protocol BufferMaker: AnyObject {
  /// Makes a buffer of memory that was granted for it, and answers.
  func make(_ wanted: BufferRequest)

  func refuse(_ wanted: BufferRequest, _ code: PresentErrorCode, _ text: String)
}

/// One client's requests for buffers, and their memory.
final class BufferRequests {
  /// Requests that there is no memory for yet, oldest first.
  private(set) var waiting: [BufferRequest] = []
  private let account: MemoryAccount
  private unowned let maker: any BufferMaker

  init(_ account: MemoryAccount, maker: any BufferMaker) {
    self.account = account
    self.maker = maker
  }

  /// Makes a buffer, or has its request wait until there is memory for it.
  func ask(_ wanted: BufferRequest) {
    if wanted.byteCount == 0 { return maker.make(wanted) }
    if account.admissionTicket != nil { return keep(wanted) }
    switch account.request(wanted.byteCount) {
    case .granted: maker.make(wanted)
    case .suspended(let ticket):
      var waiting = wanted
      waiting.ticket = ticket
      keep(waiting)
    case .refused(let why): maker.refuse(wanted, .noMemory, account.text(wanted.byteCount, why))
    }
  }

  private func keep(_ wanted: BufferRequest) {
    if wanted.waits { return waiting.append(wanted) }
    if let ticket = wanted.ticket { account.withdraw(ticket) }
    maker.refuse(wanted, .noMemory, account.text(wanted.byteCount, nil))
  }

  /// Goes on with a request that waited for memory.
  ///
  /// - Returns: false where it was withdrawn.
  func decided(_ decision: MemoryDecision) -> Bool {
    account.decided(decision)
    defer { askAgain() }
    guard let place = waiting.firstIndex(where: { $0.ticket == decision.ticket }) else { return false }
    let wanted = waiting.remove(at: place)
    switch decision.reply {
    case .granted: maker.make(wanted)
    case .refused(let why): maker.refuse(wanted, .noMemory, account.text(wanted.byteCount, why))
    case .suspended: break
    }
    return true
  }

  /// Goes on with requests that waited for the client to be let in.
  private func askAgain() {
    guard account.admissionTicket == nil else { return }
    let held = waiting.filter { $0.ticket == nil }
    waiting.removeAll { $0.ticket == nil }
    for wanted in held { ask(wanted) }
  }

  /// Ends the request for a buffer.
  ///
  /// - Returns: false where no request of that name waits.
  func withdraw(_ id: BufferID) -> Bool {
    guard let place = waiting.firstIndex(where: { $0.buffer == id }) else { return false }
    let wanted = waiting.remove(at: place)
    if let ticket = wanted.ticket { account.withdraw(ticket) }
    maker.refuse(wanted, .noMemory, "buffer \(id) was destroyed before there was memory for it")
    askAgain()
    return true
  }

  /// Ends the requests of a scanout that moves: they are of its last generation.
  func withdraw(ofScanout scanout: ScanoutID) {
    for wanted in waiting where wanted.scanout == scanout {
      if let ticket = wanted.ticket { account.withdraw(ticket) }
      maker.refuse(wanted, .stale, "scanout \(scanout) has moved to another output")
    }
    waiting.removeAll { $0.scanout == scanout }
    askAgain()
  }
}
