import Glibc

extension UnixSocket {
  /// Listens at `path`, and replaces a socket file that a killed process left there.
  ///
  /// - Parameter mode: the permissions of the socket file.
  /// - Throws: EADDRINUSE if a process serves the socket, or if the file is not a socket.
  public static func listenReplacing(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> UnixSocket {
    do throws(SystemError) {
      return try listen(path, .stream, mode: mode)
    } catch {
      guard error.code == EADDRINUSE, LinuxFile.status(path)?.kind == .socket, isAbandoned(path) else { throw error }
      removeFile(path)
      return try listen(path, .stream, mode: mode)
    }
  }

  /// Whether no process listens at a stream socket's file. Connects with the other socket type: a served socket fails
  /// with EPROTOTYPE, and its server sees no connection (unix(7)).
  private static func isAbandoned(_ path: String) -> Bool {
    do throws(SystemError) {
      _ = try connect(path, .seqpacket)
      return false
    } catch {
      return error.isNobodyListening
    }
  }
}
