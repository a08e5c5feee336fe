/// Why the scheduler refused a control-plane call; the state is then as it was before the call.
public enum SchedulerError: Error, Hashable, Sendable {
  /// The output already has as many VMs as `SchedulerConfiguration.maximumVMCount`.
  case tooManyVMs(limit: Int)
  /// A VM with this id is on the output already.
  case duplicateVM(VMID)
  /// No VM with this id is on the output.
  case unknownVM(VMID)
  /// A number of a configuration is outside its range.
  case outOfRange(ConfigurationField, given: Int64, allowed: ClosedRange<Int64>)
  /// The service level does not fit beside those that were admitted before.
  /// `largestFeasibleMillihertz` is the highest rate that does, at the same cost; 0 if none.
  case infeasible(largestFeasibleMillihertz: Int64)
}

/// The names of the numbers that `SchedulerError.outOfRange` speaks of.
public enum ConfigurationField: String, Hashable, Sendable {
  case refreshMillihertz, picosecondsPerByte, bandNanoseconds, commitNanoseconds, redZoneNanoseconds
  case maximumVMCount, backgroundMillihertz, commandRate, commandBurst, utilisationLimit, timeout
  case weight, rateCapMillihertz, rateMillihertz, frameCost, deadlineVblanks, toleratedWindow
}
