public import GraphicsMemory
public import PresentProtocol

/// What the daemon tells a client.
public enum PresentEvent: Sendable {
  /// The daemon has taken this client; one `output` per scanout follows.
  case welcomed(Welcome)
  /// A scanout's output is there or has changed. With `buffersLost`, all buffers of the scanout are gone, its frames
  /// included: make them anew.
  case output(OutputDescription, buffersLost: Bool)
  /// What became of a frame.
  case frameDone(FrameDone)
  /// A buffer may be drawn into. Comes only for buffers that were not presented again since.
  case released(bufferID: UInt32, scanout: Int)
  /// The daemon has written into the rings of a scanout's region that has no guest doorbell.
  case regionNews(scanout: Int)
  /// The daemon says no; after a fatal one, `lost` follows.
  case error(ErrorMessage)
  /// The daemon is gone, and with it all buffers and frames. The client tries to reconnect; `welcomed` tells of it.
  case lost(String)
}

/// Why a client's request came to nothing.
public enum PresentClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is no daemon now, or it has not yet told of that scanout.
  case notConnected(String)
  /// No answer in time; a late one is undone.
  case timedOut
  /// The daemon says no.
  case refused(ErrorMessage)
  /// The daemon broke the protocol, or a system call failed.
  case failed(String)

  /// The error for a person.
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
  /// Its name in `present` and the like.
  public let id: UInt32
  /// Its memory.
  public let mapped: MappedBuffer
}

/// Memory of this process, or of a guest, that the daemon shall show as it is.
public enum ImportedPages {
  /// Page-aligned ranges of memfds that are sealed against shrinking, in the picture's order; at most 4096 ranges of
  /// 63 different memfds.
  case memfd([MemoryRange])
  /// One dma-buf; the descriptor stays the caller's.
  case dmaBuf(Int32)
}
