import Headless
import KMS
import LinuxIO
import Outputs
import PresentServer
import Scanout

/// The outputs requested on the command line, and their cards.
///
/// A connector without a monitor becomes an output once one is plugged in.
final class OutputSet {
  private(set) var outputs: [NamedOutput] = []
  /// Called for an output that was added at run time.
  var onAdded: ((NamedOutput) -> Void)?
  private var cards: [KMSCard] = []
  private let loop: EventLoop
  private let log: (String) -> Void
  /// Requested connectors without a monitor, by their card's path.
  private var waiting: [(card: String, connector: String, mode: DisplayMode?)] = []
  /// The paths of cards with all their connectors requested.
  private var wholeCards: Set<String> = []

  /// Opens all of them, or none.
  init(_ choices: [OutputChoice], loop: EventLoop, log: @escaping (String) -> Void) throws {
    self.loop = loop
    self.log = log
    do {
      for choice in choices {
        switch choice {
        case .auto: try addAll()
        case .headless(let mode, let slowest): try addHeadless(mode, slowestMillihertz: slowest)
        case .kms(let path, let connector?, let mode):
          try addOrAwait(connector, mode, of: try card(path))
        case .kms(let path, nil, _): try addAll(of: try card(path))
        }
      }
    } catch {
      close()
      throw error
    }
  }

  /// Restores the saved pictures and releases the cards. May be called twice.
  func close() {
    for entry in outputs { entry.output.close() }
    for card in cards { card.close() }
  }

  /// Gives the cards up while another console is shown.
  func giveUpCards() { for card in cards { card.giveUp() } }

  /// Takes the cards back. One that another program keeps stays dark.
  func takeCardsBack() {
    for card in cards {
      do throws(KMSError) { try card.takeBack() } catch { log("\(card.path) is not shown on: \(error)") }
    }
  }

  /// Adds every monitor of every card without a DRM master, skipping cards that fail. Without a monitor, adds a
  /// stand-in, which VMs leave for the first monitor.
  private func addAll() throws {
    let before = outputs.count
    for summary in KMSCard.list() where !summary.connectors.isEmpty {
      if let why = summary.unsuitable {
        log("\(summary.path) is not used: \(why)")
        continue
      }
      do { try addAll(of: try card(summary.path)) } catch { log("\(summary.path) is not used: \(error)") }
    }
    if outputs.count == before { try addHeadless(OutputChoice.headlessDefault, isFallback: true) }
  }

  /// Adds every monitor of a card, also those plugged in later.
  private func addAll(of card: KMSCard) throws(KMSError) {
    wholeCards.insert(card.path)
    let connected = card.connectors.filter(\.connected)
    for connector in connected { add(try card.makeOutput(connector: connector.name, mode: nil), of: card) }
    if connected.isEmpty {
      let names = card.connectors.map(\.name).joined(separator: ", ")
      log("\(card.path): no monitor is plugged in yet; its connectors are: \(names.isEmpty ? "none" : names)")
    }
  }

  private func addOrAwait(_ connector: String, _ mode: DisplayMode?, of card: KMSCard) throws(KMSError) {
    do {
      add(try card.makeOutput(connector: connector, mode: mode), of: card)
    } catch {
      guard case .disconnected = error else { throw error }
      waiting.append((card.path, connector, mode))
      log("\(connector) becomes an output when a monitor is plugged in")
    }
  }

  /// Adds outputs for connectors whose monitor has been plugged in.
  private func connectorsChanged(on card: KMSCard) {
    let before = outputs.count
    for connector in card.connectors where connector.connected && !isOutput(connector.name, of: card) {
      let wish = waiting.first { $0.card == card.path && $0.connector == connector.name }
      guard wish != nil || wholeCards.contains(card.path) else { continue }
      do throws(KMSError) {
        add(try card.makeOutput(connector: connector.name, mode: wish?.mode), of: card)
        waiting.removeAll { $0.card == card.path && $0.connector == connector.name }
      } catch {
        log("\(connector.name) cannot be an output: \(error)")
      }
    }
    for entry in outputs[before...] {
      log("\(entry.name) \(entry.output.info.mode) is plugged in")
      onAdded?(entry)
    }
  }

  private func isOutput(_ connector: String, of card: KMSCard) -> Bool {
    outputs.contains { ($0.output as? KMSOutput)?.isOf(card, connector: connector) == true }
  }

  private func card(_ path: String) throws -> KMSCard {
    if let open = cards.first(where: { $0.path == path }) { return open }
    let card = try KMSCard.open(path: path, loop: loop)
    cards.append(card)
    card.onOutputsChanged = { [weak self, weak card] _ in
      if let card { self?.connectorsChanged(on: card) }
    }
    return card
  }

  private func add(_ output: KMSOutput, of card: KMSCard) {
    let name = output.info.name
    let isTaken = outputs.contains { $0.name == name }
    let cardName = card.path.split(separator: "/").last.map(String.init) ?? card.path
    outputs.append(NamedOutput(name: isTaken ? "\(name)-\(cardName)" : name, output: output))
  }

  private func addHeadless(
    _ mode: DisplayMode, slowestMillihertz: Int? = nil, isFallback: Bool = false
  ) throws {
    let name = "headless-\(outputs.count { $0.output.info.kind == .headless })"
    let output = try HeadlessOutput(name: name, mode: mode, slowestMillihertz: slowestMillihertz, loop: loop)
    outputs.append(NamedOutput(name: name, output: output, isFallback: isFallback))
  }
}
