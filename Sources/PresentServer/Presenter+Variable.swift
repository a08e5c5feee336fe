import DaemonSettings
import FrameScheduler
import Outputs

extension Presenter {
  /// Takes another rule; it holds from the next commit on.
  func setVariableRefresh(_ rule: VariableRefresh) {
    variableRate.rule = rule
    updateVariableRefresh()
    run()
  }

  /// Has the display follow the commits where it can and one VM has it to itself; commits carry it to the hardware.
  func updateVariableRefresh() {
    let isSole = scheduler.isVisible && !isTiled && focusedTile != nil
    scheduler.setVariableRefresh(variableRate.isWanted(isSole: isSole), at: now)
  }
}
