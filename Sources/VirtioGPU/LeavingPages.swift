/// Imports of images whose pages the guest takes back while the display may still read them.
///
/// The guest may give the pages to anything as soon as the command is answered. So the answer waits until the display has
/// let go of them, which it does at the next vblank.
struct LeavingPages {
  /// The longest wait: a display that does not answer must not stop the guest.
  static let waitNanoseconds: UInt64 = 1_000_000_000
  /// The tokens of these answers are apart from those of `PendingAnswers`.
  private static let firstToken: UInt64 = 1 << 63

  private struct Command {
    let token: UInt64
    let deadlineNanoseconds: UInt64
    var buffers: [(buffer: ImportedBuffer, scanout: Int)]
    var isAnswered = false
  }

  private var commands: [Command] = []
  private var lastToken = LeavingPages.firstToken

  /// Whether the display may read any of the pages.
  var isReadingAny: Bool { !commands.isEmpty }

  /// The next answer's deadline; nil if none waits.
  var firstDeadline: UInt64? { commands.first { !$0.isAnswered }?.deadlineNanoseconds }

  /// The buffer of that name.
  func buffer(_ id: UInt32) -> ImportedBuffer? {
    for command in commands {
      for (buffer, _) in command.buffers where buffer.id == id { return buffer }
    }
    return nil
  }

  /// Adds a command that takes the pages of these scanouts' buffers back, and returns its token.
  mutating func add(_ buffers: [(buffer: ImportedBuffer, scanout: Int)], at now: UInt64) -> UInt64 {
    lastToken += 1
    commands.append(
      Command(token: lastToken, deadlineNanoseconds: now &+ LeavingPages.waitNanoseconds, buffers: buffers))
    return lastToken
  }

  /// Drops the buffers that are free.
  ///
  /// - Parameters:
  ///   - now: answers that have waited for too long by then are given.
  ///   - isLost: whether a scanout's buffers are dropped in any case, because the display has lost them.
  ///   - dropped: called with each dropped buffer.
  ///   - answered: called with the token of each command that may be answered.
  mutating func settle(
    at now: UInt64, isLost: (_ scanout: Int) -> Bool, dropped: (ImportedBuffer) -> Void, answered: (UInt64) -> Void
  ) {
    var index = 0
    while index < commands.count {
      commands[index].buffers.removeAll { (buffer, scanout) in
        guard buffer.isFree || isLost(scanout) else { return false }
        dropped(buffer)
        return true
      }
      let isDone = commands[index].buffers.isEmpty
      if !commands[index].isAnswered, isDone || commands[index].deadlineNanoseconds <= now {
        commands[index].isAnswered = true
        answered(commands[index].token)
      }
      if isDone { commands.remove(at: index) } else { index += 1 }
    }
  }
}
