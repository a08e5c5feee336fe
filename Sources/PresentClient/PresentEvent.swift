public import GraphicsMemory
public import PresentProtocol

/// An event of the daemon.
public enum PresentEvent: Sendable {
  /// The daemon has accepted this client; one `output` per scanout follows.
  case welcomed(Welcome)
  /// A scanout's output is known or has changed. With `buffersLost`, all buffers and frames of the scanout are gone:
  /// create the buffers again.
  case output(OutputDescription, buffersLost: Bool)
  /// The outcome of a frame.
  case frameDone(FrameDone)
  /// A buffer may be drawn into. Not delivered for a buffer that was presented again since.
  case released(bufferID: UInt32, scanout: Int)
  /// The daemon has written into the rings of a scanout's region that has no guest doorbell.
  case regionNews(scanout: Int)
  /// The host's settings for the VM's device; after the first `report`, and at every change.
  case deviceSettings(DeviceSettings)
  /// The daemon does not accept this client. Delivered once per reason, not for further attempts refused for the same
  /// one. The client retries with growing pauses of up to 5 s, until `stop`.
  case refused(PresentRefusal)
  /// The daemon refuses a request of a welcomed client; after a fatal error, `lost` follows.
  case error(ErrorMessage)
  /// The connection of a welcomed client has ended, and with it all its buffers and frames. The client tries to
  /// reconnect; `welcomed` follows when it succeeds.
  case lost(String)
}

/// Why the daemon does not accept a client.
public struct PresentRefusal: Equatable, Sendable {
  /// The daemon's answer to HELLO.
  public let message: ErrorMessage
  /// Whether a later attempt may succeed, because the name is in use or an output does not exist. If false, the
  /// client's name is invalid, or its version differs.
  public var mayHeal: Bool { message.code.mayHeal }
}

/// Why a client's request failed.
public enum PresentClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no daemon, or it has not announced the scanout yet.
  case notConnected(String)
  /// No answer in time; a late one is undone.
  case timedOut
  /// The daemon refused.
  case refused(ErrorMessage)
  /// The daemon broke the protocol, or a system call failed.
  case failed(String)

  /// A message for the user.
  public var description: String {
    switch self {
    case .notConnected(let why): why
    case .timedOut: "framepathd did not answer in time"
    case .refused(let message): message.text
    case .failed(let why): why
    }
  }
}

/// A host buffer of the daemon, mapped for the CPU's writes.
public struct PresentBuffer {
  /// The buffer's id for `present` and other calls.
  public let id: UInt32
  /// The buffer's memory.
  public let mapped: MappedBuffer
}

/// Memory of this process, or of a guest, that the daemon can show without a copy.
public enum ImportedPages {
  /// Page-aligned ranges of memfds that are sealed against shrinking, in the picture's order; at most 4096 ranges of
  /// 63 different memfds.
  case memfd([MemoryRange])
  /// One dma-buf; the caller keeps the descriptor.
  case dmaBuf(Int32)
}
