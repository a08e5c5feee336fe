import DaemonSettings
import Outputs
import PresentProtocol

/// Which output a VM is on, by the host's command.
extension Server {
  /// Every output that a VM is to be on must be there.
  func checkOutputs(_ plan: SettingsPlan) throws(SettingsError) {
    let names = presenters.map(\.name)
    for (name, settings) in plan.vms {
      guard let change = plan.change(ofVM: name, "outputs") else { continue }
      for output in settings.outputs where !names.contains(output) {
        throw SettingsError(change.line, "there is no output \(output); there are: \(names.joined(separator: ", "))")
      }
    }
  }

  /// Puts a VM's scanouts onto the outputs that its settings name. Who was there and has no room beside it goes to
  /// another output that is free, or waits; everybody runs on.
  func moveHeads(ofVM name: String) {
    for session in sessions where session.hello?.name == name && !session.isClosed {
      for head in session.heads { head.wish(for: session.wish(of: head.index)) }
      for head in session.heads where !head.wish.isEmpty {
        guard let (displaced, from) = placement.moveToWish(head) else { continue }
        giveUpWord(for: displaced, on: from.name)
        placement.place([displaced])
      }
    }
    placement.willPlaceWaiting()
  }

  /// What the host said of that output before holds no more: another output is as good. A VM's own wish stays.
  private func giveUpWord(for displaced: Surface, on output: String) {
    var settings = displaced.settings
    let index = displaced.index
    guard settings.outputs.indices.contains(index), settings.outputs[index] == output else { return }
    settings.outputs[index] = ""
    remember(settings, ofVM: displaced.vmName)
    displaced.wish(for: "")
  }
}
