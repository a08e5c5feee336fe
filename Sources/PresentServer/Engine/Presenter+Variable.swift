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
    let isSole = schedule.state.isVisible && !isTiled && focusedView != nil
    let isWanted = variableRate.isWanted(isSole: isSole)
    schedule.update { $0.setVariableRefresh(isWanted, at: $1) }
  }
}
