/// Memory that a client has taken away after it had given it to the daemon.
enum MissingMemory {
  /// The message to the client.
  static let text =
    "shared memory was missing when it was read: it has been discarded, and the host has no free page for it"
}
