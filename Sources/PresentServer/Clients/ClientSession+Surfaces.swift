import DaemonSettings
import PresentProtocol

extension ClientSession: SurfaceOwner {
  func drop(_ why: String) { server.clients.drop(self, why) }

  func outputChanged(_ description: OutputDescription, of surface: Surface) { send(.output(description)) }

  func buffersLost(of surface: Surface) { requests.withdraw(ofScanout: surface.id) }

  func outputLost(of surface: Surface) {}

  func frameLatched(of surface: Surface) {}

  func frameDone(
    _ frame: UInt64, _ outcome: PresentOutcome, timeNanoseconds: UInt64, sequence: UInt64, of surface: Surface
  ) {
    send(
      .frameDone(
        FrameDone(
          scanout: surface.id.wire, frame: frame, outcome: outcome, timeNanoseconds: timeNanoseconds,
          sequence: sequence)))
  }

  func released(_ buffer: ClientBuffer, of surface: Surface) {
    let frame = buffer.usage == .cursor ? 0 : buffer.lastFrame
    send(.released(Released(bufferID: buffer.id.wire, scanout: surface.id.wire, frame: frame)))
  }

  func failed(_ why: String, of surface: Surface) {
    refuse(.output, why, .none, about: surface.id)
  }
}

extension ClientSession {
  /// The requested output of a scanout; the host's setting takes precedence over the client's request.
  func wish(of index: Int) -> String {
    if settings.outputs.indices.contains(index) { return settings.outputs[index] }
    guard let hello, hello.outputs.indices.contains(index) else { return "" }
    return hello.outputs[index]
  }

  /// The surface of a scanout; an invalid scanout ends the session.
  func surface(_ scanout: ScanoutID) -> Surface? {
    if surfaces.indices.contains(scanout.index) { return surfaces[scanout.index] }
    fail(.malformed, "there is no scanout \(scanout); the client has \(surfaces.count)")
    return nil
  }

  /// Requests that the client recreate its buffers.
  func renewBuffers() { for surface in surfaces where region(of: surface) == nil { surface.renewBuffers() } }

  /// Applies new settings of the client's VM.
  func take(_ settings: VMSettings) { for surface in surfaces { surface.settings = settings } }
}
