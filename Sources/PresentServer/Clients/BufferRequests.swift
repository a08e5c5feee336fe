import FrameScheduler
import Outputs
import PresentProtocol

/// A client's request for a buffer.
struct BufferRequest {
  enum Origin {
    case made(CreateBuffer)
    case imported(ImportBuffer, ImportedMemory)
  }

  let origin: Origin
  let buffer: BufferID
  let scanout: ScanoutID
  /// Whether the reply is delayed until memory is available.
  let waits: Bool
  let number: RequestID
  /// Bytes charged against the clients' shared memory; 0 if the buffer is not charged.
  var byteCount: Int
  /// Its ticket in the memory queue; nil while the client itself waits for admission.
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

/// Creates buffers once their memory is granted, and reports refusals.
protocol BufferMaker: AnyObject {
  /// Creates a buffer with its granted memory, and replies.
  func make(_ wanted: BufferRequest)

  func refuse(_ wanted: BufferRequest, _ code: PresentErrorCode, _ text: String)
}

/// One client's buffer requests and their memory.
final class BufferRequests {
  /// Requests that wait for memory, oldest first.
  private(set) var waiting: [BufferRequest] = []
  private let account: MemoryAccount
  private unowned let maker: any BufferMaker

  init(_ account: MemoryAccount, maker: any BufferMaker) {
    self.account = account
    self.maker = maker
  }

  /// Creates a buffer, or queues the request until memory is available.
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

  /// Completes a request that waited for memory.
  ///
  /// - Returns: false if it was withdrawn.
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

  /// Retries requests that waited for the client's admission.
  private func askAgain() {
    guard account.admissionTicket == nil else { return }
    let held = waiting.filter { $0.ticket == nil }
    waiting.removeAll { $0.ticket == nil }
    for wanted in held { ask(wanted) }
  }

  /// Withdraws the request for a buffer.
  ///
  /// - Returns: false if no request for it is waiting.
  func withdraw(_ id: BufferID) -> Bool {
    guard let place = waiting.firstIndex(where: { $0.buffer == id }) else { return false }
    let wanted = waiting.remove(at: place)
    if let ticket = wanted.ticket { account.withdraw(ticket) }
    maker.refuse(wanted, .noMemory, "buffer \(id) was destroyed before memory was available")
    askAgain()
    return true
  }

  /// Withdraws the requests of a scanout that moves; their generation has ended.
  func withdraw(ofScanout scanout: ScanoutID) {
    for wanted in waiting where wanted.scanout == scanout {
      if let ticket = wanted.ticket { account.withdraw(ticket) }
      maker.refuse(wanted, .stale, "scanout \(scanout) has moved to another output")
    }
    waiting.removeAll { $0.scanout == scanout }
    askAgain()
  }
}
