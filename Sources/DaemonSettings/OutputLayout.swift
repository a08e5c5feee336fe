public import Scanout

/// How the scanouts on one output share it.
public enum OutputLayout: Hashable, Sendable {
  /// One scanout has the output.
  case single
  /// A grid for the number of scanouts, as near to a square as possible.
  case tile
  /// A grid of this many columns and rows.
  case grid(columns: Int, rows: Int)
  /// A rectangle of the output for each named VM.
  case places([Place])
  /// One scanout is shown, the others wait and are paced slowly.
  case focus

  /// A VM's rectangle.
  public struct Place: Hashable, Sendable {
    /// The client's name.
    public var vm: String
    /// In the output's pixels.
    public var rect: Rect

    /// A rectangle for a VM.
    public init(vm: String, rect: Rect) {
      self.vm = vm
      self.rect = rect
    }
  }

  /// Reads `single`, `tile`, `tile 4x4`, `tile web=0,0,640x480 db=640,0,640x480` or `focus`. Several texts are the
  /// places of a `tile`.
  public init(_ texts: [String]) throws(SettingsError) {
    guard texts.count == 1, let text = texts.first else {
      self = .places(try texts.map { word throws(SettingsError) in try OutputLayout.place(word[...]) })
      return
    }
    let words = text.split(separator: " ")
    switch (words.first, words.count) {
    case ("single", 1): self = .single
    case ("focus", 1): self = .focus
    case ("tile", 1): self = .tile
    case ("tile", _):
      if words.count == 2, let size = PixelSize(words[1], in: 0...OutputLayout.largestPlace) {
        self = .grid(columns: size.width, rows: size.height)
        return
      }
      self = .places(try words.dropFirst().map { word throws(SettingsError) in try OutputLayout.place(word) })
    default:
      if texts.count == 1, text.contains("="), let place = try? OutputLayout.place(text[...]) {
        self = .places([place])
        return
      }
      throw SettingsError(
        "there is no layout \(text); there are: single, tile, tile 4x4, tile VM=X,Y,WxH …, focus")
    }
  }

  private static let largestPlace = 1 << 20

  private static func place(_ word: Substring) throws(SettingsError) -> Place {
    guard let equals = word.lastIndex(of: "="), equals != word.startIndex else { throw refusal(word) }
    let parts = word[word.index(after: equals)...].split(separator: ",")
    let limits = 0...largestPlace
    guard parts.count == 3, let x = Int(parts[0]), let y = Int(parts[1]), limits.contains(x), limits.contains(y),
      let size = PixelSize(parts[2], in: limits)
    else { throw refusal(word) }
    return Place(vm: String(word[..<equals]), rect: Rect(x: x, y: y, width: size.width, height: size.height))
  }

  private static func refusal(_ word: Substring) -> SettingsError {
    SettingsError("\(word) is neither COLUMNSxROWS nor VM=X,Y,WIDTHxHEIGHT")
  }

  /// The text form used in settings and status.
  public var text: String {
    switch self {
    case .single: "single"
    case .tile: "tile"
    case .grid(let columns, let rows): "tile \(columns)x\(rows)"
    case .places(let places):
      "tile "
        + places.map { "\($0.vm)=\($0.rect.x),\($0.rect.y),\($0.rect.width)x\($0.rect.height)" }.joined(separator: " ")
    case .focus: "focus"
    }
  }
}

extension OutputLayout: SettingConvertible {
  /// From a layout.
  public init?(_ value: SettingValue) {
    guard case .layout(let layout) = value else { return nil }
    self = layout
  }

  /// The layout.
  public var settingValue: SettingValue { .layout(self) }
}
