import FrameScheduler
import GraphicsMemory
import Outputs
import Scanout

/// A failed snapshot.
enum SnapshotError: Error {
  /// There is no such VM, scanout or output.
  case unknown(String)
  /// The picture could not be read or composed.
  case failed(String)
}

/// What a snapshot shows.
enum SnapshotPlan {
  /// Frames to be drawn into a picture of a size in pixels.
  case parts([SnapshotJob.Part], width: Int, height: Int)
  /// The hardware wrote the picture.
  case captured(MappedBuffer)
}

extension SurfaceView {
  /// The client's frame with its cursor, in the frame's size; black in the mode's size without a frame. For a surface
  /// that is not visible, the newest frame.
  func planOfFrame() -> SnapshotPlan {
    let shown = presenter.leasing.current == nil ? presenter.onScreen.entry(of: id) : nil
    let isUnseen = shown == nil && (held.last?.isReported == true || !presenter.schedule.state.isVisible)
    guard let frame = shown?.frame ?? newest, presenter.isVisible(self) || isUnseen else {
      let mode = presenter.mode(of: self)
      return .parts([], width: mode.width, height: mode.height)
    }
    let part = SnapshotJob.Part(
      buffer: frame.buffer, source: frame.source, cursor: shown == nil ? cursor : shown?.cursor,
      clip: Rect(width: frame.source.width, height: frame.source.height), originX: 0, originY: 0)
    return .parts([part], width: frame.source.width, height: frame.source.height)
  }
}

extension Presenter {
  /// The whole output, in its mode's size.
  func planOfOutput() -> SnapshotPlan {
    let mode = output.info.mode
    let screen = Rect(width: mode.width, height: mode.height)
    let parts = onScreen.entries.map { entry in
      let clip = onScreen.isTiled ? view(entry.view)?.rect ?? .empty : screen
      return SnapshotJob.Part(
        buffer: entry.frame.buffer, source: entry.frame.source, cursor: entry.cursor, clip: clip.intersection(screen),
        originX: entry.originX, originY: entry.originY)
    }
    return .parts(parts, width: mode.width, height: mode.height)
  }
}
