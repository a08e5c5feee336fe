import FrameScheduler

extension Workload {
  /// The victims of `Workload.victims` beside one hostile VM (H1 to H15 of sched.md §3.3).
  public static func hostile(_ hostility: Hostility) -> Workload {
    var workload = victims
    workload.guests.append(guest(hostility))
    workload.name = hostility.rawValue
    return workload
  }

  private static func guest(_ hostility: Hostility) -> GuestModel {
    var guest: GuestModel
    let millisecond: Nanoseconds = 1_000_000
    switch hostility {
    case .flushFlood:
      guest = GuestModel("H1", .openLoop(interval: 10_000), frameNanoseconds: 4 * millisecond)
    case .neverReady:
      guest = GuestModel("H2", .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    case .hugeSource:
      guest = GuestModel("H3", .openLoop(interval: 16 * millisecond), frameNanoseconds: 80 * millisecond)
    case .wrongSizes:
      guest = GuestModel("H4", .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    case .churn:
      guest = GuestModel("H5", .openLoop(interval: millisecond), frameNanoseconds: 8 * millisecond)
    case .memoryPush:
      guest = GuestModel("H6", .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    case .configurationStorm:
      guest = GuestModel("H7", .openLoop(interval: 4 * millisecond), frameNanoseconds: 8 * millisecond)
    case .cursorFlood:
      guest = GuestModel("H8", .openLoop(interval: 10_000), frameNanoseconds: 0)
    case .failingPlane:
      guest = GuestModel("H9", .openLoop(interval: 8 * millisecond), frameNanoseconds: 8 * millisecond)
      guest.configuration.path = .plane
    case .justTooLate:
      guest = GuestModel("H10", .openLoop(interval: 16_666_667), frameNanoseconds: 8 * millisecond)
    case .sleepBurst:
      guest = GuestModel(
        "H11", .bursts(count: 60, interval: 4 * millisecond, pause: 1_000_000_000), frameNanoseconds: 12 * millisecond)
    case .diesInCommit:
      guest = GuestModel("H12", .openLoop(interval: 4 * millisecond), frameNanoseconds: 8 * millisecond)
    case .costLies:
      guest = GuestModel(
        "H13", .openLoop(interval: 16 * millisecond), frameNanoseconds: 16 * millisecond,
        serviceLevel: ServiceLevel(rateMillihertz: 60_000, frameNanoseconds: millisecond))
    case .debtReset:
      guest = GuestModel("H14", .openLoop(interval: 2 * millisecond), frameNanoseconds: 40 * millisecond)
    case .replay:
      guest = GuestModel("H15", .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    }
    guest.hostility = hostility
    return guest
  }
}
