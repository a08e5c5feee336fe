public import GraphicsMemory
public import Scanout

/// A frame that a guest has presented, with every number checked.
public struct RegionFrame {
  /// The slot that holds it.
  public var slot: Int
  /// The guest's frame number; rises within an attach.
  public var frame: UInt64
  /// The layout of the picture in the slot.
  public var layout: FrameLayout
  /// The damage since the guest's last frame, clipped to the picture.
  public var damage: Damage
  /// The guest's CLOCK_MONOTONIC at the present.
  public var readyNanoseconds: UInt64
}

/// The result of `RegionHost.takeFrame`.
public enum RegionTake {
  /// Nothing new.
  case none
  /// A frame; the host holds its slot until `release`.
  case frame(RegionFrame)
  /// An invalid entry: the frame is lost. The guest has been notified if possible.
  case refused(RegionReason)
}

/// The result of `RegionHost.checkAttach`.
public enum RegionAttach: Equatable, Sendable {
  /// Another client has attached.
  case attached(RegionGuestFlags)
  /// The client has detached.
  case detached
  /// A client of another version tried to attach.
  case refused(RegionReason)
}
