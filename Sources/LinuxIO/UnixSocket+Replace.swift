import Glibc

extension UnixSocket {
  /// Listens at `path`, where a socket file may stand that nobody serves any more: what a killed process leaves.
  ///
  /// - Parameter mode: who may connect.
  /// - Throws: EADDRINUSE where somebody serves it, or where the file is no socket.
  public static func listenReplacing(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> UnixSocket {
    do throws(SystemError) {
      return try listen(path, .stream, mode: mode)
    } catch {
      guard error.code == EADDRINUSE, LinuxFile.status(path)?.kind == .socket, isAbandoned(path) else { throw error }
      removeFile(path)
      return try listen(path, .stream, mode: mode)
    }
  }

  /// Whether nobody listens at a stream socket's file. Asks with the other kind of socket: a living one answers with
  /// EPROTOTYPE, and does not take the question for its first client (unix(7)).
  private static func isAbandoned(_ path: String) -> Bool {
    do throws(SystemError) {
      _ = try connect(path, .seqpacket)
      return false
    } catch {
      return error.isNobodyListening
    }
  }
}
