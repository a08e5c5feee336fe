import Scanout
import Testing

@testable import framepathd

@Suite("--output")
struct OutputChoiceTests {
  @Test func `every form in the help is accepted`() {
    #expect(OutputChoice(argument: "auto") == .auto)
    #expect(OutputChoice(argument: "headless") == .headless(mode(1920, 1080, 60_000)))
    #expect(OutputChoice(argument: "headless:1280x720@144") == .headless(mode(1280, 720, 144_000)))
    #expect(OutputChoice(argument: "headless:1280x720@59.94") == .headless(mode(1280, 720, 59_940)))
    #expect(
      OutputChoice(argument: "headless:1920x1080@48-144")
        == .headless(mode(1920, 1080, 144_000), slowestMillihertz: 48_000))
    let card = "/dev/dri/card0"
    #expect(OutputChoice(argument: "kms:\(card)") == .kms(card: card, connector: nil, mode: nil))
    #expect(OutputChoice(argument: "kms:\(card):HDMI-A-1") == .kms(card: card, connector: "HDMI-A-1", mode: nil))
    #expect(
      OutputChoice(argument: "kms:\(card):DP-2:2560x1440@75")
        == .kms(card: card, connector: "DP-2", mode: mode(2560, 1440, 75_000)))
  }

  @Test func `a KMS mode without a rate leaves the rate to the monitor`() {
    #expect(
      OutputChoice(argument: "kms:/dev/dri/card0:DP-2:2560x1440")
        == .kms(card: "/dev/dri/card0", connector: "DP-2", mode: mode(2560, 1440, 0)))
  }

  @Test(arguments: [
    "", "Auto", "auto:1", "headless:", "headless:1920", "headless:0x0", "headless:1920x1080@60:x",
    "headless:640x480@60-48",
    "headless:640x480@48-", "headless:640x480@-60", "headless:640x480@0-60", "kms", "kms:",
    "kms:card0", "kms:/dev/dri/card0:", "kms:/dev/dri/card0:DP-2:", "kms:/dev/dri/card0:DP-2:1x",
    "kms:/dev/dri/card0:DP-2:640x480:60",
  ])
  func `any other form is refused`(words: String) {
    #expect(OutputChoice(argument: words) == nil)
  }

  private func mode(_ width: Int, _ height: Int, _ refreshMillihertz: Int) -> DisplayMode {
    DisplayMode(width: width, height: height, refreshMillihertz: refreshMillihertz)
  }
}
