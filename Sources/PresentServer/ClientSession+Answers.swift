import GraphicsMemory
import LinuxIO
import PresentProtocol

extension ClientSession {
  func answerStatus(_ request: UInt64) {
    let json = server.statusJSON()
    do throws(SystemError) {
      let fd = SharedFD(try MemFD.create(name: "framepath-status", byteCount: json.count))
      let mapping = try Mapping(fd: fd.raw, byteCount: json.count)
      mapping.bytes.copyBytes(from: json)
      send(.statusReply(byteCount: UInt64(json.count), request: request), fd: fd)
    } catch {
      refuse(.noMemory, 0, error.description, request)
    }
  }

  func answerSnapshot(_ subject: SnapshotSubject, _ request: UInt64) {
    do throws(SnapshotError) {
      let (picture, fromWriteback) = try server.snapshot(subject)
      let byteCount = picture.pixelByteCount + picture.layout.offset
      send(
        .snapshotReply(
          SnapshotReply(
            layout: picture.layout, fromWriteback: fromWriteback, memoryKind: picture.kind,
            byteCount: UInt64(byteCount)), request: request), fd: picture.fd)
    } catch {
      switch error {
      case .unknown(let text): refuse(.noSuchVM, 0, text, request)
      case .failed(let text): refuse(.refused, 0, text, request)
      }
    }
  }
}
