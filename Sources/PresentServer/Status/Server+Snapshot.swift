import GraphicsMemory
import Outputs
import PresentProtocol

extension Server {
  /// The picture on screen.
  func planSnapshot(_ subject: SnapshotSubject) throws(SnapshotError) -> SnapshotPlan {
    switch subject {
    case .vm(let name, let scanout): return try view(ofVM: name, scanout).planOfFrame()
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

  private func view(ofVM name: String, _ scanout: UInt32) throws(SnapshotError) -> SurfaceView {
    let clients = sessions.filter { !$0.surfaces.isEmpty }
    guard let session = clients.first(where: { $0.hello?.name == name }) else {
      let names = clients.compactMap { $0.hello?.name }.joined(separator: ", ")
      throw .unknown("there is no VM \(name); \(names.isEmpty ? "none is connected" : "there are: \(names)")")
    }
    guard scanout < UInt32(session.surfaces.count), let view = session.surfaces[Int(scanout)].view else {
      throw .unknown("\(name) has \(session.surfaces.count) scanouts, but not scanout \(scanout)")
    }
    return view
  }
}
