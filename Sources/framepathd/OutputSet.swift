import Headless
import LinuxIO
import Outputs
import PresentServer
import Scanout

/// Why the outputs cannot be had; the text is for a person.
struct OutputSetError: Error, CustomStringConvertible {
  var description: String
}

/// The outputs that the command line asks for.
final class OutputSet {
  private(set) var outputs: [NamedOutput] = []
  private let loop: EventLoop
  private let log: (String) -> Void

  /// Opens all of them, or none.
  init(_ choices: [OutputChoice], loop: EventLoop, log: @escaping (String) -> Void) throws {
    self.loop = loop
    self.log = log
    do {
      for choice in choices {
        switch choice {
        case .auto: try addHeadless(OutputChoice.headlessDefault)
        case .headless(let mode): try addHeadless(mode)
        case .kms(let card, _, _): throw OutputSetError(description: "\(card): KMS outputs are not built yet")
        }
      }
    } catch {
      close()
      throw error
    }
  }

  /// Puts back what the outputs showed before. Closing twice is harmless.
  func close() {
    for entry in outputs { entry.output.close() }
  }

  private func addHeadless(_ mode: DisplayMode) throws {
    let name = "headless-\(outputs.count { $0.output.info.kind == .headless })"
    outputs.append(NamedOutput(name: name, output: try HeadlessOutput(name: name, mode: mode, loop: loop)))
  }
}
