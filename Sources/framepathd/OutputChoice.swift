import ArgumentParser
import Scanout

/// A value of `--output`.
enum OutputChoice: ExpressibleByArgument, Equatable {
  /// Every free KMS card with a monitor, else one headless output.
  case auto
  /// An output without hardware.
  case headless(DisplayMode, slowestMillihertz: Int? = nil)
  /// A card, or one of its connectors, optionally with a mode.
  case kms(card: String, connector: String?, mode: DisplayMode?)

  /// Whether it never needs a card.
  var isHeadless: Bool { if case .headless = self { true } else { false } }

  static let headlessDefault = DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000)

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count) {
    case ("auto", 1): self = .auto
    case ("headless", 1): self = .headless(OutputChoice.headlessDefault)
    case ("headless", 2):
      if let mode = DisplayMode(parts[1]) {
        self = .headless(mode)
      } else if let (mode, slowest) = OutputChoice.variable(parts[1]) {
        self = .headless(mode, slowestMillihertz: slowest)
      } else {
        return nil
      }
    case ("kms", 2...4):
      guard parts[1].hasPrefix("/") else { return nil }
      var mode: DisplayMode?
      if parts.count == 4 {
        guard var wanted = DisplayMode(parts[3]) else { return nil }
        // 0: any refresh rate of that size.
        if !parts[3].contains("@") { wanted.refreshMillihertz = 0 }
        mode = wanted
      }
      let connector = parts.count > 2 ? parts[2] : nil
      if connector?.isEmpty == true { return nil }
      self = .kms(card: parts[1], connector: connector, mode: mode)
    default: return nil
    }
  }

  /// `1920x1080@48-144`: an output with a variable refresh rate.
  private static func variable(_ text: String) -> (DisplayMode, Int)? {
    guard let at = text.lastIndex(of: "@"), let dash = text[at...].firstIndex(of: "-"),
      let slowest = DisplayMode(String(text[..<dash])),
      let mode = DisplayMode("\(text[...at])\(text[text.index(after: dash)...])"),
      slowest.refreshMillihertz < mode.refreshMillihertz
    else { return nil }
    return (mode, slowest.refreshMillihertz)
  }
}
