public import LinuxIO
public import Seat

/// The host's virtual terminals, in front of or behind the VMs' pictures.
public enum ConsoleFacts: Equatable, Sendable {
  /// The terminals that exist.
  case terminals([ConsoleState])
  /// This host has none, such as a container.
  case none
  /// They cannot be read.
  case unknown(SystemError)

  /// Reads the state of all terminals, which needs root.
  public static func gather() -> ConsoleFacts {
    do throws(SystemError) {
      return .terminals(try ConsoleState.all())
    } catch {
      // ENOENT, ENXIO, ENODEV
      return [2, 6, 19].contains(error.code) ? .none : .unknown(error)
    }
  }

  /// What to say about them.
  ///
  /// - Parameter cards: the cards, whose holders show whether a daemon drives monitors.
  public func findings(cards: [CardFacts]) -> [Finding] {
    let topic = "console"
    switch self {
    case .none: return []
    case .unknown(let error):
      return [Finding(.note, topic, "the virtual terminals cannot be examined: \(error)", advice: "Try it as root.")]
    case .terminals(let terminals):
      let abandoned = terminals.filter(\.isAbandoned).map { "tty\($0.terminal)" }
      if !abandoned.isEmpty {
        return [
          Finding(
            .problem, topic,
            "\(abandoned.joined(separator: ", ")): without text or keyboard, and the program that left it so has ended",
            advice: "sudo framepath doctor --reset-console")
        ]
      }
      guard let active = terminals.first(where: \.isActive) else { return [] }
      let name = "tty\(active.terminal)"
      if active.isKeyboardOff { return [Finding(.ok, topic, "\(name): no key reaches a shell of this host")] }
      let isBehindPictures = cards.contains { card in card.holders.contains { $0.name == "framepathd" } }
      if isBehindPictures, !active.isGraphics {
        return [
          Finding(
            .problem, topic, "what is typed in front of the VMs' pictures goes to \(name)",
            advice: "Start framepathd as root, and without --seat none.")
        ]
      }
      return [Finding(.ok, topic, "\(name) is \(active.isGraphics ? "another program's" : "a text console")")]
    }
  }
}
