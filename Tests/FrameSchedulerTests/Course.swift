import Testing

/// A random sequence of events that tests rules, and can be reduced.
protocol Course: CustomStringConvertible {
  associatedtype Step: Equatable
  var steps: [Step] { get set }
  /// Simpler steps to try in place of one, the simplest first; none for a step that is as simple as can be.
  static func simpler(_ step: Step) -> [Step]
}

/// Smaller numbers to try in place of one, in steps that reach the least that still does it in a few tries.
///
/// - Parameter nearest: down to which part of the number its neighbours are tried.
func numbersBelow(_ number: Int64, nearest: Int64 = .max) -> [Int64] {
  var numbers: [Int64] = number > 0 ? [0] : []
  var part: Int64 = 2
  while part <= nearest, number / part > 0 {
    numbers.append(number - number / part)
    part *= 2
  }
  return numbers + (nearest == .max && number > 1 && numbers.last != number - 1 ? [number - 1] : [])
}

/// A violated rule, with details.
struct Violation: Equatable {
  var rule: String
  var detail: String
}

extension Course {
  var description: String { steps.map { "\($0)" }.joined(separator: "\n  ") }

  /// The smallest course that still does it: no step of it can be left out, and none be made simpler.
  func shrunk(_ stillDoes: (Self) throws -> Bool) rethrows -> Self {
    var smallest = self
    while true {
      var next = try smallest.withFewerSteps(stillDoes)
      next = try next.withSimplerSteps(stillDoes)
      if next.steps == smallest.steps { return smallest }
      smallest = next
    }
  }

  /// Leaves out runs of steps, long ones first.
  private func withFewerSteps(_ stillDoes: (Self) throws -> Bool) rethrows -> Self {
    var smallest = self
    var length = max(1, steps.count / 2)
    while true {
      var start = 0
      while start < smallest.steps.count {
        var candidate = smallest
        candidate.steps.removeSubrange(start..<min(start + length, candidate.steps.count))
        if try stillDoes(candidate) { smallest = candidate } else { start += length }
      }
      if length == 1 { return smallest }
      length /= 2
    }
  }

  private func withSimplerSteps(_ stillDoes: (Self) throws -> Bool) rethrows -> Self {
    var smallest = self
    for place in steps.indices {
      var rest = Self.simpler(smallest.steps[place])[...]
      while let step = rest.popFirst() {
        var candidate = smallest
        candidate.steps[place] = step
        guard try stillDoes(candidate) else { continue }
        smallest = candidate
        rest = Self.simpler(step)[...]
      }
    }
    return smallest
  }
}

/// Plays random courses; of the first that breaks a rule, the smallest that breaks the same rule is shown.
func expectRules<Played: Course>(
  _ seeds: Range<UInt64>, of make: (UInt64) -> Played, sourceLocation: SourceLocation = #_sourceLocation,
  _ play: (Played) throws -> [Violation]
) throws {
  for seed in seeds {
    let course = make(seed)
    guard let first = try play(course).first else { continue }
    let smallest = try course.shrunk { try play($0).contains { $0.rule == first.rule } }
    Issue.record(
      "seed \(seed): \(try play(smallest).map { "\($0.rule): \($0.detail)" })\n  \(smallest)",
      sourceLocation: sourceLocation)
    return
  }
}
