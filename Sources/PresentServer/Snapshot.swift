import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
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

extension Server {
  /// The picture on screen.
  func planSnapshot(_ subject: SnapshotSubject) throws(SnapshotError) -> SnapshotPlan {
    switch subject {
    case .vm(let name, let scanout): return try tile(ofVM: name, scanout).planOfFrame()
    case .output(let name):
      guard let presenter = presenters.first(where: { $0.name == name }) else {
        let names = presenters.map { $0.name }.joined(separator: ", ")
        throw SnapshotError.unknown("there is no output \(name); there are: \(names)")
      }
      do throws(OutputError) {
        if let picture = try presenter.output.capture() { return .captured(picture) }
      } catch {
        throw .failed("\(error)")
      }
      if let lessee = presenter.leasing.current {
        throw SnapshotError.failed(
          "\(name) is leased to \(lessee.holder.name), and is off or cannot be read back")
      }
      return presenter.planOfOutput()
    }
  }

  private func tile(ofVM name: String, _ scanout: UInt32) throws(SnapshotError) -> Tile {
    let clients = sessions.filter { !$0.heads.isEmpty }
    guard let session = clients.first(where: { $0.hello?.name == name }) else {
      let names = clients.compactMap { $0.hello?.name }.joined(separator: ", ")
      throw .unknown("there is no VM \(name); \(names.isEmpty ? "none is connected" : "there are: \(names)")")
    }
    guard scanout < UInt32(session.heads.count), let tile = session.heads[Int(scanout)].tile else {
      throw .unknown("\(name) has \(session.heads.count) scanouts, but not scanout \(scanout)")
    }
    return tile
  }
}

extension Tile {
  /// The client's frame with its cursor, in the frame's size; black in the mode's size without a frame. For a surface
  /// that is not visible, the newest frame.
  fileprivate func planOfFrame() -> SnapshotPlan {
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
  fileprivate func planOfOutput() -> SnapshotPlan {
    let mode = output.info.mode
    let screen = Rect(width: mode.width, height: mode.height)
    let parts = onScreen.entries.map { entry in
      let clip = onScreen.isTiled ? tile(entry.tile)?.rect ?? .empty : screen
      return SnapshotJob.Part(
        buffer: entry.frame.buffer, source: entry.frame.source, cursor: entry.cursor, clip: clip.intersection(screen),
        originX: entry.originX, originY: entry.originY)
    }
    return .parts(parts, width: mode.width, height: mode.height)
  }
}
