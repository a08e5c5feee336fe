import Headless
import KMS
import LinuxIO
import Outputs
import Scanout
import Testing

/// The outputs of the conformance tests: the headless output, and a card's first connector if FRAMEPATH_TEST_CARD names
/// a card.
///
/// The lab's virtual machine has a card, and runs this program unchanged:
///
///     FRAMEPATH_TEST_CARD=/dev/dri/card0 Tests/Lab/kms-vm --card vkms:2:writeback -- \
///       .build/debug/framepathPackageTests.xctest --testing-library swift-testing --no-parallel --filter OutputTests
enum TestScreen: String, CustomTestStringConvertible {
  case headless
  case kms

  var testDescription: String { self == .headless ? "headless" : "KMS" }

  static let card = environmentVariable("FRAMEPATH_TEST_CARD")

  static var all: [TestScreen] { card == nil ? [.headless] : [.headless, .kms] }

  /// Opens an output of this kind for one test.
  func open() throws -> OutputBench {
    let loop = try EventLoop()
    switch self {
    case .headless:
      let mode = DisplayMode(width: 320, height: 200, refreshMillihertz: 60_000)
      return OutputBench(try HeadlessOutput(name: "headless-0", mode: mode, loop: loop), loop: loop)
    case .kms:
      let path = try #require(TestScreen.card)
      let card = try KMSCard.open(path: path, loop: loop)
      let connector = try #require(card.connectors.first { $0.connected })
      let output = try card.makeOutput(connector: connector.name, mode: TestScreen.smallMode(connector))
      return OutputBench(output, loop: loop, card: card)
    }
  }

  /// A small mode, because the lab's processors are slow; nil (the preferred mode) if there is none.
  static func smallMode(_ connector: ConnectorDescription) -> DisplayMode? {
    connector.modes.filter { $0.width >= 640 && $0.refreshMillihertz > 50_000 }
      .min { $0.width * $0.height < $1.width * $1.height }
  }
}

/// Whether the tests' card has a driver of that name.
func testCardDriver() -> String? {
  TestScreen.card.flatMap { path in KMSCard.list().first { $0.path == path }?.driverName }
}
