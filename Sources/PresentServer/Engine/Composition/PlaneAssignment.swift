import DaemonSettings
import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// Assigns overlay planes to views of an output: an auction gives each plane to the view for which it saves the most
/// copying.
struct PlaneAssignment {
  /// A view's part in the auction.
  struct Bidder {
    /// The plane that shows the view's frames; nil: they are copied.
    var index: Int?
    /// The signature of the frame that the plane was tested with.
    fileprivate(set) var signature: UInt64 = 0
    /// Since the last auction: presented frames, committed frames, and bytes that copying them takes.
    fileprivate var announcedCount: Int64 = 0
    fileprivate var grantedCount: Int64 = 0
    fileprivate var announcedBytes: Int64 = 0
  }

  /// A flip, after which an auction may be held.
  struct Flip {
    /// The vblank of the flip.
    let sequence: UInt64
    let refreshMillihertz: Int64
    let now: Nanoseconds
  }

  private(set) var auction = PlaneAuction()
  /// Whether views were added, removed or moved, or one has left its plane.
  var isChanged = true
  /// Whether another test may be made at the next vblank.
  private var isPending = false
  /// The vblank of the last auction by frame counts.
  private var lastSequence: UInt64 = 0
  /// Flips since the start, and at that auction: idle times do not count.
  private var flipCount: Int64 = 0
  private var lastFlipCount: Int64 = 0
  private var bids: [PlaneBid] = []

  /// Counts a frame for the next auction. Returns true if the view must leave its plane, because the frame's kind
  /// differs from the tested one.
  mutating func frameArrived(
    _ frame: SurfaceFrame, _ byteCount: Int64, of view: SurfaceView, on output: any Output
  ) -> Bool {
    view.plane.announcedCount += 1
    view.plane.announcedBytes += byteCount
    guard view.plane.index != nil else { return false }
    return planes(for: frame, of: view, on: output) == 0 || signature(of: frame, view) != view.plane.signature
  }

  /// Counts a committed frame.
  func frameCommitted(of view: SurfaceView) { view.plane.grantedCount += 1 }

  /// Holds an auction if one is due; else returns false. The result is in `auction`.
  mutating func holdAuction(_ views: [SurfaceView], _ flip: Flip, on output: any Output, over canvas: TileCanvas)
    -> Bool
  {
    flipCount += 1
    let isDue = flipCount - lastFlipCount >= PlaneAuction.intervalVblanks
    guard isChanged || isPending || isDue else { return false }
    bids.removeAll(keepingCapacity: true)
    for view in views {
      guard let frame = view.latched, let bid = bid(frame, of: view, flip, on: output) else { continue }
      bids.append(bid)
    }
    let usable = UInt64.max >> UInt64(64 - min(Overlays.capacity, output.overlayCount))
    let candidate = auction.propose(bids, planes: usable, vblank: flipCount, layoutChanged: isChanged, at: flip.now)
    isChanged = false
    isPending = candidate != nil
    if let candidate {
      auction.tested(passes: accepts(candidate, views, on: output, over: canvas), at: flip.now)
    } else if isDue {
      lastSequence = flip.sequence
      lastFlipCount = flipCount
      for view in views {
        (view.plane.announcedCount, view.plane.grantedCount, view.plane.announcedBytes) = (0, 0, 0)
      }
    }
    return true
  }

  /// Assigns the plane to the view.
  func give(_ plane: Int, to view: SurfaceView) {
    view.plane.index = plane
    if let frame = view.latched { view.plane.signature = signature(of: frame, view) }
  }

  /// Records that the output refused a commit with the view on its plane.
  mutating func commitFailed(_ view: SurfaceView, at now: Nanoseconds) {
    if view.plane.index != nil { auction.commitFailed(view.id, at: now) }
  }

  /// A frame on a plane, clipped to its view's rectangle.
  func overlay(_ frame: SurfaceFrame, of view: SurfaceView) -> OverlayFrame? {
    guard let buffer = frame.buffer.planeBuffer else { return nil }
    let origin = view.origin(of: frame)
    let source = Rect(
      x: frame.source.x + view.rect.x - origin.x, y: frame.source.y + view.rect.y - origin.y, width: view.rect.width,
      height: view.rect.height)
    guard frame.source.contains(source) else { return nil }
    return OverlayFrame(buffer: buffer, source: source, x: view.rect.x, y: view.rect.y)
  }

  /// The planes that could show a frame, one bit each. The frame must cover its view's rectangle, and there must be no
  /// cursor, which would be below it.
  private func planes(for frame: SurfaceFrame, of view: SurfaceView, on output: any Output) -> UInt64 {
    guard view.cursor == nil, frame.source.width >= view.rect.width, frame.source.height >= view.rect.height,
      !view.rect.isEmpty, let buffer = frame.buffer.planeBuffer
    else { return 0 }
    return output.overlayPlanes(for: buffer)
  }

  private func bid(_ frame: SurfaceFrame, of view: SurfaceView, _ flip: Flip, on output: any Output) -> PlaneBid? {
    let mask = planes(for: frame, of: view, on: output)
    if mask == 0 { return nil }
    let vblanks = max(1, Int64(clamping: flip.sequence &- lastSequence))
    return PlaneBid(
      vm: view.id, byteCount: view.plane.announcedBytes / max(1, view.plane.announcedCount),
      announcedMillihertz: view.plane.announcedCount * flip.refreshMillihertz / vblanks,
      grantedMillihertz: view.plane.grantedCount * flip.refreshMillihertz / vblanks,
      weight: view.surface.settings.weight,
      planes: mask, signature: signature(of: frame, view))
  }

  /// A hash of everything that the result of a TEST_ONLY commit depends on.
  private func signature(of frame: SurfaceFrame, _ view: SurfaceView) -> UInt64 {
    let layout = frame.buffer.buffer.layout
    var hash = FNV1a()
    hash.add(frame.source)
    hash.add(layout.width)
    hash.add(layout.height)
    hash.add(layout.strideBytes)
    hash.add(layout.offset)
    hash.add(view.rect)
    hash.add(UInt64(layout.format.fourcc))
    hash.add(frame.buffer.isImported ? 1 : 0)
    return hash.value
  }

  private func accepts(
    _ candidate: PlaneAuction.Assignment, _ views: [SurfaceView], on output: any Output, over canvas: TileCanvas
  ) -> Bool {
    var overlays = Overlays()
    for view in views {
      let plane = view.id == candidate.vm ? candidate.plane : view.plane.index
      guard let plane, plane != candidate.plane || view.id == candidate.vm, let frame = view.latched else { continue }
      overlays[plane] = overlay(frame, of: view)
    }
    var frame = canvas.shownFrame()
    frame.overlays = overlays
    return output.accepts(frame)
  }
}
