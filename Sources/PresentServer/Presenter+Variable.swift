import DaemonSettings
import FrameScheduler
import Outputs

extension Presenter {
  /// Changes the rule, beginning with the next commit.
  func setVariableRefresh(_ rule: VariableRefresh) {
    variableRate.rule = rule
    updateVariableRefresh()
    run()
  }

  /// Enables variable refresh if the display supports it and one VM has the output to itself. Commits set the property.
  func updateVariableRefresh() {
    let isSole = scheduler.isVisible && !isTiled && focusedTile != nil
    scheduler.setVariableRefresh(variableRate.isWanted(isSole: isSole), at: now)
  }
}
