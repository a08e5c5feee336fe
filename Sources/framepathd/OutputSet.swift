import Headless
import LinuxIO
import Outputs
import Scanout

/// Why the outputs cannot be had; the text is for a person.
struct OutputSetError: Error, CustomStringConvertible {
  var description: String
}

/// The outputs that the command line asks for.
struct OutputSet {
  private(set) var outputs: [any Output] = []
  private let loop: EventLoop

  /// Opens all of them, or none.
  init(_ choices: [OutputChoice], loop: EventLoop) throws {
    self.loop = loop
    for choice in choices {
      switch choice {
      case .auto: try addHeadless(OutputChoice.headlessDefault)
      case .headless(let mode): try addHeadless(mode)
      case .kms(let card, _, _): throw OutputSetError(description: "\(card): KMS outputs are not built yet")
      }
    }
  }

  /// Puts back what the outputs showed before. Closing twice is harmless.
  func close() {
    for output in outputs { output.close() }
  }

  private mutating func addHeadless(_ mode: DisplayMode) throws {
    let count = outputs.count { $0.info.kind == .headless }
    outputs.append(try HeadlessOutput(name: "headless-\(count)", mode: mode, loop: loop))
  }
}
