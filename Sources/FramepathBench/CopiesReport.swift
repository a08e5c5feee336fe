/// Which way frames go in `framepath bench copies`, in the words of the paper.
public enum CopiesPath: String, Codable, Sendable, CaseIterable {
  /// Guest framebuffer → virtual graphics memory → host framebuffer → scan-out.
  case legacy
  /// Guest framebuffer → hybrid graphics memory → scan-out: vhost-user-gpu by real backend and daemon.
  case hybrid
  /// Guest pages → scan-out: the complete device's blobs by real backend and daemon.
  case direct

  /// What the paper counts for a frame, the hardware's read included.
  public var expectedTransfersPerFrame: Int {
    switch self {
    case .legacy: 3
    case .hybrid: 2
    case .direct: 1
    }
  }
}

/// What `framepath bench copies` has counted.
public struct CopiesReport: Encodable, Equatable, Sendable {
  /// One path. Its JSON also has `transfers` and `movedBytes`.
  public struct Path: Encodable, Equatable, Sendable {
    /// Which one.
    public var path: CopiesPath
    /// Who took part, for a person.
    public var means: String
    /// Frames that the guest drew and handed over.
    public var frames: Int
    /// Frames that the hardware read: one transfer each.
    public var scannedOut: UInt64
    /// Frames that a newer one replaced before the hardware read them.
    public var superseded: UInt64
    /// Copies of frames by CPUs, by the ledger (and by an X server's completions).
    public var cpuCopies: UInt64
    /// Bytes of these copies.
    public var copiedBytes: UInt64
    /// Of these, bytes that the interposed counter saw in backend and daemon; nil where it was not there.
    public var interposedBytes: UInt64?
    /// Copies that the interposed counter saw.
    public var interposedCopies: UInt64?
    /// Bytes of one picture.
    public var pictureBytes: Int
    /// Wall-clock time of all frames, s.
    public var seconds: Double
    /// CPU time per frame of all processes that took part beside the guest, µs.
    public var microsecondsPerFrame: Double
    /// Checksum of what the guest drew last.
    public var drawnChecksum: String
    /// Checksum of what is scanned out at the end.
    public var shownChecksum: String

    /// Moves of whole frames, the hardware's read counted as one.
    public var transfers: UInt64 { cpuCopies + scannedOut }
    /// Bytes of all transfers.
    public var movedBytes: UInt64 { copiedBytes + scannedOut * UInt64(pictureBytes) }
    /// Bytes of all transfers per frame.
    public var movedBytesPerFrame: Double { Double(movedBytes) / Double(max(frames, 1)) }
    /// Whether the last picture arrived whole.
    public var isPictureRight: Bool { drawnChecksum == shownChecksum }
    /// How far the interposed count is from the ledger's, as a part of the ledger's; nil where it was not there.
    public var interposedDifference: Double? {
      guard let interposedBytes else { return nil }
      if interposedBytes == copiedBytes { return 0 }
      let difference = interposedBytes > copiedBytes ? interposedBytes - copiedBytes : copiedBytes - interposedBytes
      return Double(difference) / Double(max(copiedBytes, 1))
    }
  }

  /// One size of the picture.
  public struct Size: Encodable, Equatable, Sendable {
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// Every path that was asked for.
    public var paths: [Path]
  }

  /// Frames per path.
  public var frames: Int
  /// The machine.
  public var machine: Machine
  /// Every size.
  public var sizes: [Size]
}

extension CopiesReport.Path {
  private enum Key: String, CodingKey {
    case path, means, frames, transfers, scannedOut, superseded, cpuCopies, copiedBytes, movedBytes, interposedBytes
    case interposedCopies, pictureBytes, seconds, microsecondsPerFrame, drawnChecksum, shownChecksum
  }

  /// Every figure, the sums included.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(path, forKey: .path)
    try values.encode(means, forKey: .means)
    try values.encode(frames, forKey: .frames)
    try values.encode(transfers, forKey: .transfers)
    try values.encode(scannedOut, forKey: .scannedOut)
    try values.encode(superseded, forKey: .superseded)
    try values.encode(cpuCopies, forKey: .cpuCopies)
    try values.encode(copiedBytes, forKey: .copiedBytes)
    try values.encode(movedBytes, forKey: .movedBytes)
    try values.encodeIfPresent(interposedBytes, forKey: .interposedBytes)
    try values.encodeIfPresent(interposedCopies, forKey: .interposedCopies)
    try values.encode(pictureBytes, forKey: .pictureBytes)
    try values.encode(seconds, forKey: .seconds)
    try values.encode(microsecondsPerFrame, forKey: .microsecondsPerFrame)
    try values.encode(drawnChecksum, forKey: .drawnChecksum)
    try values.encode(shownChecksum, forKey: .shownChecksum)
  }
}
