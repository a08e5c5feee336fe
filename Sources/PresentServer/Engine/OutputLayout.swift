import DaemonSettings
import Scanout

extension OutputLayout {
  /// The name in settings and status.
  var name: String { text }

  /// Whether frames are composed into a buffer of the output's size.
  var isTiled: Bool {
    switch self {
    case .single, .focus: false
    case .tile, .grid, .places: true
    }
  }

  /// The limit of an output's scheduler.
  static let mostScanouts = 64

  /// The number of scanouts that fit.
  var capacity: Int {
    switch self {
    case .single: 1
    case .tile, .focus: OutputLayout.mostScanouts
    case .grid(let columns, let rows): columns * rows
    case .places(let places): places.count
    }
  }

  /// Why this layout does not fit an output of this size; nil if it does.
  func objection(width: Int, height: Int) -> String? {
    switch self {
    case .single, .tile, .focus: return nil
    case .grid(let columns, let rows):
      guard columns > 0, rows > 0, columns <= 64, rows <= 64, columns * rows <= 64 else {
        return "a grid has 1 to 64 tiles, not \(columns)x\(rows)"
      }
      return columns > width || rows > height ? "\(columns)x\(rows) tiles exceed the number of pixels" : nil
    case .places(let places):
      guard (1...64).contains(places.count) else { return "a layout has 1 to 64 places, not \(places.count)" }
      let screen = Rect(width: width, height: height)
      for (index, place) in places.enumerated() {
        guard !place.rect.isEmpty, screen.contains(place.rect) else {
          return "the place of \(place.vm) is not inside the output's \(width)x\(height) pixels"
        }
        for other in places[..<index] {
          if other.vm == place.vm { return "\(place.vm) has two places" }
          if !other.rect.intersection(place.rect).isEmpty { return "\(other.vm) and \(place.vm) overlap" }
        }
      }
      return nil
    }
  }

  /// The rectangle of the scanout at `index` of `count`, or of the VM of this name; empty if it has none.
  func rect(of index: Int, count: Int, vm: String, width: Int, height: Int) -> Rect {
    switch self {
    case .single, .focus: return Rect(width: width, height: height)
    case .tile:
      var columns = 1
      while columns * columns < count { columns += 1 }
      let rows = (count + columns - 1) / columns
      return OutputLayout.cell(index, columns: columns, rows: rows, width, height)
    case .grid(let columns, let rows): return OutputLayout.cell(index, columns: columns, rows: rows, width, height)
    case .places(let places): return places.first { $0.vm == vm }?.rect ?? .empty
    }
  }

  private static func cell(_ index: Int, columns: Int, rows: Int, _ width: Int, _ height: Int) -> Rect {
    let (column, row) = (index % columns, index / columns)
    let (left, top) = (column * width / columns, row * height / rows)
    return Rect(
      x: left, y: top, width: (column + 1) * width / columns - left, height: (row + 1) * height / rows - top)
  }
}
