import DaemonSettings
import Outputs
import PresentProtocol

/// Moves VMs between outputs by the host's settings.
extension Server {
  /// Checks that the outputs of all VMs in the plan exist.
  func checkOutputs(_ plan: SettingsPlan) throws(SettingsError) {
    let names = presenters.map(\.name)
    for (name, settings) in plan.vms {
      guard let change = plan.change(ofVM: name, "outputs") else { continue }
      for output in settings.outputs where !names.contains(output) {
        throw SettingsError(change.line, "there is no output \(output); there are: \(names.joined(separator: ", "))")
      }
    }
  }

  /// Moves a VM's scanouts to the outputs in its settings. VMs displaced by the move get another free output or are
  /// parked; no guest is paused.
  func moveHeads(ofVM name: String) {
    for session in sessions where session.hello?.name == name && !session.isClosed {
      for surface in session.surfaces { surface.wish(for: session.wish(of: surface.index)) }
      for surface in session.surfaces where !surface.wish.isEmpty {
        guard let (displaced, from) = placement.moveToWish(surface) else { continue }
        giveUpWord(for: displaced, on: from.name)
        placement.place([displaced])
      }
    }
    placement.wishesChanged()
  }

  /// Drops the host's earlier setting of this output for a displaced VM, which may then take any output. A request by the
  /// VM itself is kept.
  private func giveUpWord(for displaced: Surface, on output: String) {
    var settings = displaced.settings
    let index = displaced.index
    guard settings.outputs.indices.contains(index), settings.outputs[index] == output else { return }
    settings.outputs[index] = ""
    remember(settings, ofVM: displaced.vmName)
    displaced.wish(for: "")
    placement.wishesChanged()
  }
}
