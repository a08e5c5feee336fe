import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol
import Scanout

/// Notifies subscribed clients of changes of the state, at the end of an iteration of the loop.
///
/// A kind is sent once, and again only after the client's next status request, so that at most one message per kind
/// waits for a client. Without subscribers nothing is compared.
final class ChangeFeed {
  private struct Subscriber {
    unowned let session: ClientSession
    var kinds: ChangeKinds
    /// The kinds sent since the client's last status request.
    var sent: ChangeKinds = []
    let request: RequestID
  }

  /// The state of an output that is compared between iterations.
  private struct OutputState: Equatable {
    let mode: DisplayMode
    let isConnected: Bool
    let power: OutputPower
    let lessee: VMID?
    let focus: VMID?

    init(_ presenter: Presenter) {
      mode = presenter.output.info.mode
      isConnected = presenter.output.info.connected
      power = presenter.power.effective
      lessee = presenter.leasing.current?.id
      focus = lessee ?? presenter.focusedView?.id
    }
  }

  private var subscribers: [Subscriber] = []
  private var outputs: [OutputState] = []
  private var noted: ChangeKinds = []

  /// Records changes, which are sent at the end of the iteration.
  func note(_ kinds: ChangeKinds) { noted.formUnion(kinds) }

  /// Replaces a client's subscription.
  func subscribe(_ session: ClientSession, _ kinds: ChangeKinds, _ request: RequestID, _ presenters: [Presenter]) {
    // Earlier changes of this iteration are sent to the other subscribers only.
    endRound(presenters)
    forget(session)
    if kinds.isEmpty { return }
    if subscribers.isEmpty { outputs = presenters.map { OutputState($0) } }
    subscribers.append(Subscriber(session: session, kinds: kinds, request: request))
  }

  /// The client gets the current status.
  func looked(_ session: ClientSession) {
    for index in subscribers.indices where subscribers[index].session === session { subscribers[index].sent = [] }
  }

  func forget(_ session: ClientSession) { subscribers.removeAll { $0.session === session } }

  /// Sends the iteration's changes to subscribers.
  func endRound(_ presenters: [Presenter]) {
    defer { noted = [] }
    if subscribers.isEmpty { return }
    compare(presenters)
    if noted.isEmpty { return }
    for index in subscribers.indices {
      let news = noted.intersection(subscribers[index].kinds).subtracting(subscribers[index].sent)
      if news.isEmpty { continue }
      subscribers[index].sent.formUnion(news)
      subscribers[index].session.send(.changed(news, request: subscribers[index].request.wire))
    }
  }

  private func compare(_ presenters: [Presenter]) {
    if presenters.count != outputs.count {
      outputs = presenters.map { OutputState($0) }
      return note([.outputs, .focus])
    }
    for (index, presenter) in presenters.enumerated() {
      let state = OutputState(presenter)
      let before = outputs[index]
      if state == before { continue }
      outputs[index] = state
      if state.focus != before.focus { note(.focus) }
      if (state.mode, state.isConnected, state.power, state.lessee)
        != (before.mode, before.isConnected, before.power, before.lessee)
      {
        note(.outputs)
      }
    }
  }
}
