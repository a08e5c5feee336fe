/// What an attempt to open a socket has come to. `Result` would do, if the compiler could lower closures that take one
/// of a noncopyable type.
public enum OpenedSocket: ~Copyable {
  /// The socket.
  case open(UnixSocket)
  /// The reason why there is none.
  case failed(SystemError)

  /// The socket, or its error.
  public consuming func get() throws(SystemError) -> UnixSocket {
    switch consume self {
    case .open(let socket): return socket
    case .failed(let error): throw error
    }
  }
}
