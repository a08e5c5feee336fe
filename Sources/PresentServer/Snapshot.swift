import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// Why there is no picture.
enum SnapshotError: Error {
  /// There is no such VM, scanout or output.
  case unknown(String)
  /// Something refused.
  case failed(String)
}

extension Server {
  /// A picture of what is on screen, and whether the hardware made it.
  func snapshot(_ subject: SnapshotSubject) throws(SnapshotError) -> (MappedBuffer, Bool) {
    do {
      switch subject {
      case .vm(let name, let scanout): return (try presenter(ofVM: name, scanout).pictureOfFrame(), false)
      case .output(let name):
        guard let presenter = presenters.first(where: { $0.name == name }) else {
          let names = presenters.map { $0.name }.joined(separator: ", ")
          throw SnapshotError.unknown("there is no output \(name); there are: \(names)")
        }
        if let picture = try presenter.output.capture() { return (picture, true) }
        return (try presenter.pictureOfOutput(), false)
      }
    } catch let error as SnapshotError {
      throw error
    } catch {
      throw .failed("\(error)")
    }
  }

  private func presenter(ofVM name: String, _ scanout: UInt32) throws(SnapshotError) -> Presenter {
    let clients = sessions.filter { !$0.heads.isEmpty }
    guard let session = clients.first(where: { $0.hello?.name == name }) else {
      let names = clients.compactMap { $0.hello?.name }.joined(separator: ", ")
      throw .unknown("there is no VM \(name); \(names.isEmpty ? "none is connected" : "there are: \(names)")")
    }
    guard scanout < UInt32(session.heads.count), let presenter = session.heads[Int(scanout)].presenter else {
      throw .unknown("\(name) has \(session.heads.count) scanouts, and none with index \(scanout)")
    }
    return presenter
  }
}

extension Presenter {
  /// The client's picture with its cursor, in the picture's size; black in the mode's size where there is none.
  func pictureOfFrame() throws -> MappedBuffer {
    guard let frame = onScreen.frame else { return try picture(Rect(width: homeMode.width, height: homeMode.height)) }
    return try picture(Rect(width: frame.source.width, height: frame.source.height))
  }

  /// The whole output, in its mode's size.
  func pictureOfOutput() throws -> MappedBuffer {
    let mode = output.info.mode
    return try picture(
      Rect(width: mode.width, height: mode.height), originX: onScreen.originX, originY: onScreen.originY)
  }

  private func picture(_ screen: Rect, originX: Int = 0, originY: Int = 0) throws -> MappedBuffer {
    let target = try Presenter.newPicture(screen)
    let cursor = try onScreen.cursor.map { cursor in
      Painting.Sprite(picture: try cursor.buffer.buffer.mapped(), x: cursor.x, y: cursor.y)
    }
    let painting = Painting(
      screen: screen, picture: try onScreen.frame?.buffer.buffer.mapped(), source: onScreen.frame?.source ?? .empty,
      cursor: onScreen.frame == nil ? nil : cursor, originX: originX, originY: originY)
    // A snapshot is no frame: its copies are nobody's.
    var ledger = CopyLedger()
    painting.paint(DamageRegion(screen), into: target, &ledger)
    return target
  }

  private static func newPicture(_ screen: Rect) throws -> MappedBuffer {
    guard
      let layout = FrameLayout(
        width: screen.width, height: screen.height, strideBytes: screen.width * PixelFormat.bytesPerPixel,
        format: .xrgb8888)
    else { throw SnapshotError.failed("a picture of \(screen.width)x\(screen.height) cannot be made") }
    let fd = SharedFD(try MemFD.create(name: "framepath-snapshot", byteCount: layout.byteCount))
    return try MappedBuffer(fd: fd, kind: .memfd, layout: layout, byteCount: layout.byteCount)
  }
}
