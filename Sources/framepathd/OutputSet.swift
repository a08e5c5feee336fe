import Headless
import KMS
import LinuxIO
import Outputs
import PresentServer
import Scanout

/// Why the outputs cannot be had; the text is for a person.
struct OutputSetError: Error, CustomStringConvertible {
  var description: String
}

/// The outputs that the command line asks for, and the cards that some of them are on.
final class OutputSet {
  private(set) var outputs: [NamedOutput] = []
  private var cards: [KMSCard] = []
  private let loop: EventLoop
  private let log: (String) -> Void

  /// Opens all of them, or none.
  init(_ choices: [OutputChoice], loop: EventLoop, log: @escaping (String) -> Void) throws {
    self.loop = loop
    self.log = log
    do {
      for choice in choices {
        switch choice {
        case .auto: try addAll()
        case .headless(let mode): try addHeadless(mode)
        case .kms(let path, let connector?, let mode):
          let card = try card(path)
          add(try card.makeOutput(connector: connector, mode: mode), of: card)
        case .kms(let path, nil, _): try addConnected(of: try card(path))
        }
      }
    } catch {
      close()
      throw error
    }
  }

  /// Puts back what the outputs showed before and lets go of the cards. Closing twice is harmless.
  func close() {
    for entry in outputs { entry.output.close() }
    for card in cards { card.close() }
  }

  /// Every monitor of every card that nobody else drives; a card that fails is passed over. Else one headless output.
  private func addAll() throws {
    let before = outputs.count
    for summary in KMSCard.list() where summary.connectors.contains(where: \.connected) {
      if let why = summary.unsuitable {
        log("\(summary.path) is left alone: \(why)")
        continue
      }
      do { try addConnected(of: try card(summary.path)) } catch { log("left alone: \(error)") }
    }
    if outputs.count == before { try addHeadless(OutputChoice.headlessDefault) }
  }

  private func addConnected(of card: KMSCard) throws {
    let connected = card.connectors.filter(\.connected)
    if connected.isEmpty {
      let names = card.connectors.map(\.name).joined(separator: ", ")
      throw OutputSetError(
        description: "\(card.path): nothing is plugged in; its connectors are: \(names.isEmpty ? "none" : names)")
    }
    for connector in connected { add(try card.makeOutput(connector: connector.name, mode: nil), of: card) }
  }

  private func card(_ path: String) throws -> KMSCard {
    if let open = cards.first(where: { $0.path == path }) { return open }
    let card = try KMSCard.open(path: path, loop: loop)
    cards.append(card)
    return card
  }

  private func add(_ output: KMSOutput, of card: KMSCard) {
    let name = output.info.name
    let isTaken = outputs.contains { $0.name == name }
    let cardName = card.path.split(separator: "/").last.map(String.init) ?? card.path
    outputs.append(NamedOutput(name: isTaken ? "\(name)-\(cardName)" : name, output: output))
  }

  private func addHeadless(_ mode: DisplayMode) throws {
    let name = "headless-\(outputs.count { $0.output.info.kind == .headless })"
    outputs.append(NamedOutput(name: name, output: try HeadlessOutput(name: name, mode: mode, loop: loop)))
  }
}
