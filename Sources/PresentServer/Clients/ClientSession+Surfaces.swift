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
