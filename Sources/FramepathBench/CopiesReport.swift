/// The paths of `framepath bench copies`, in the terms of Joo, Lee and Eom (2012).
public enum CopiesPath: String, Codable, Sendable, CaseIterable {
  /// Guest framebuffer → virtual graphics memory → host framebuffer → scan-out.
  case legacy
  /// Guest framebuffer → hybrid graphics memory → scan-out: vhost-user-gpu with real backend and daemon.
  case hybrid
  /// Guest pages → scan-out: the complete device's blobs with real backend and daemon.
  case direct

  /// The transfers per frame in Joo, Lee and Eom (2012), the hardware's read included.
  public var expectedTransfersPerFrame: Int {
    switch self {
    case .legacy: 3
    case .hybrid: 2
    case .direct: 1
    }
  }
}

/// The results of `framepath bench copies`.
public struct CopiesReport: Encodable, Equatable, Sendable {
  /// One path. Its JSON also has `transfers` and `movedBytes`.
  public struct Path: Encodable, Equatable, Sendable {
    /// The subject.
    public var path: CopiesPath
    /// The processes involved, for the report.
    public var means: String
    /// The frames that the guest drew and presented.
    public var frames: Int
    /// Frames that the hardware read: one transfer each.
    public var scannedOut: UInt64
    /// Frames superseded before the hardware read them.
    public var superseded: UInt64
    /// Copies of frames by CPUs, by the ledger (and by an X server's completions).
    public var cpuCopies: UInt64
    /// Bytes of these copies.
    public var copiedBytes: UInt64
    /// Bytes that the interposed counter saw in backend and daemon; nil without a counter.
    public var interposedBytes: UInt64?
    /// Copies that the interposed counter saw.
    public var interposedCopies: UInt64?
    /// Bytes of one picture.
    public var pictureBytes: Int
    /// Wall-clock time of all frames, s.
    public var seconds: Double
    /// CPU time per frame of all processes except the guest, µs.
    public var microsecondsPerFrame: Double
    /// The checksum of the guest's last picture.
    public var drawnChecksum: String
    /// The checksum of the picture that is scanned out at the end.
    public var shownChecksum: String

    /// Moves of whole frames, the hardware's read counted as one.
    public var transfers: UInt64 { cpuCopies + scannedOut }
    /// Bytes of all transfers.
    public var movedBytes: UInt64 { copiedBytes + scannedOut * UInt64(pictureBytes) }
    /// Bytes of all transfers per frame.
    public var movedBytesPerFrame: Double { Double(movedBytes) / Double(max(frames, 1)) }
    /// Whether the last picture arrived whole.
    public var isPictureRight: Bool { drawnChecksum == shownChecksum }
    /// The relative difference of the interposed count from the ledger's; nil without a counter.
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
