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

extension Server {
  /// The picture on screen, and whether it was read back from the hardware.
  func snapshot(_ subject: SnapshotSubject) throws(SnapshotError) -> (MappedBuffer, Bool) {
    do {
      switch subject {
      case .vm(let name, let scanout): return (try tile(ofVM: name, scanout).pictureOfFrame(), false)
      case .output(let name):
        guard let presenter = presenters.first(where: { $0.name == name }) else {
          let names = presenters.map { $0.name }.joined(separator: ", ")
          throw SnapshotError.unknown("there is no output \(name); there are: \(names)")
        }
        if let picture = try presenter.output.capture() { return (picture, true) }
        if let lessee = presenter.leasing.current {
          throw SnapshotError.failed(
            "\(name) is leased to \(lessee.holder.name), and is off or cannot be read back")
        }
        return (try presenter.pictureOfOutput(), false)
      }
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw .failed("\(error)")
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
  func pictureOfFrame() throws -> MappedBuffer {
    let shown = presenter.leasing.current == nil ? presenter.onScreen.entry(of: id) : nil
    let isUnseen = shown == nil && (held.last?.isReported == true || !presenter.schedule.state.isVisible)
    guard let frame = shown?.frame ?? newest, presenter.isVisible(self) || isUnseen else {
      let mode = presenter.mode(of: self)
      return try newPicture(Rect(width: mode.width, height: mode.height))
    }
    let target = try newPicture(Rect(width: frame.source.width, height: frame.source.height))
    try draw(frame, shown == nil ? cursor : shown?.cursor, target.layout.bounds, originX: 0, originY: 0, into: target)
    return target
  }
}

extension Presenter {
  /// The whole output, in its mode's size.
  func pictureOfOutput() throws -> MappedBuffer {
    let mode = output.info.mode
    let target = try newPicture(Rect(width: mode.width, height: mode.height))
    for entry in onScreen.entries {
      var clip = target.layout.bounds
      if onScreen.isTiled { clip = tile(entry.tile)?.rect ?? .empty }
      try draw(entry.frame, entry.cursor, clip, originX: entry.originX, originY: entry.originY, into: target)
    }
    return target
  }
}

/// Draws a picture and its cursor into a part of a snapshot, surrounded by black. Copies made for snapshots are not
/// counted.
private func draw(
  _ frame: SurfaceFrame, _ cursor: SurfaceCursor?, _ clip: Rect, originX: Int, originY: Int,
  into target: MappedBuffer
) throws {
  let sprite = try cursor.map { cursor in
    Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
  }
  let painting = Painting(
    screen: clip, picture: try frame.buffer.buffer.mapped(), source: frame.source, cursor: sprite, originX: originX,
    originY: originY)
  var ledger = CopyLedger()
  painting.paint(DamageRegion(clip), into: target, nil, &ledger)
}

private func newPicture(_ screen: Rect) throws -> MappedBuffer {
  guard
    let layout = FrameLayout(
      width: screen.width, height: screen.height, strideBytes: screen.width * PixelFormat.bytesPerPixel,
      format: .xrgb8888)
  else { throw SnapshotError.failed("cannot allocate a picture of \(screen.width)x\(screen.height)") }
  let fd = SharedFD(try MemFD.create(name: "framepath-snapshot", byteCount: layout.byteCount))
  return try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: layout.byteCount)
}
