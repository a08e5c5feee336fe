import FrameScheduler

extension Workload {
  /// The victims of `Workload.victims` beside one hostile VM.
  public static func hostile(_ hostility: Hostility) -> Workload {
    var workload = victims
    workload.guests.append(guest(hostility))
    workload.name = hostility.rawValue
    return workload
  }

  private static func guest(_ hostility: Hostility) -> GuestModel {
    var guest: GuestModel
    let name = hostility.rawValue
    let millisecond: Nanoseconds = 1_000_000
    switch hostility {
    case .flushFlood:
      guest = GuestModel(name, .openLoop(interval: 10_000), frameNanoseconds: 4 * millisecond)
    case .hugeSource:
      guest = GuestModel(name, .openLoop(interval: 16 * millisecond), frameNanoseconds: 80 * millisecond)
    case .wrongSizes:
      guest = GuestModel(name, .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    case .churn:
      guest = GuestModel(name, .openLoop(interval: millisecond), frameNanoseconds: 8 * millisecond)
    case .memoryPush:
      guest = GuestModel(name, .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    case .configurationStorm:
      guest = GuestModel(name, .openLoop(interval: 4 * millisecond), frameNanoseconds: 8 * millisecond)
    case .cursorFlood:
      guest = GuestModel(name, .openLoop(interval: 10_000), frameNanoseconds: 0)
    case .failingPlane:
      guest = GuestModel(name, .openLoop(interval: 8 * millisecond), frameNanoseconds: 8 * millisecond)
      guest.configuration.path = .plane
    case .justTooLate:
      guest = GuestModel(name, .openLoop(interval: 16_666_667), frameNanoseconds: 8 * millisecond)
    case .sleepBurst:
      guest = GuestModel(
        name, .bursts(count: 60, interval: 4 * millisecond, pause: 1_000_000_000), frameNanoseconds: 12 * millisecond)
    case .diesInCommit:
      guest = GuestModel(name, .openLoop(interval: 4 * millisecond), frameNanoseconds: 8 * millisecond)
    case .costLies:
      guest = GuestModel(
        name, .openLoop(interval: 16 * millisecond), frameNanoseconds: 16 * millisecond,
        serviceLevel: ServiceLevel(rateMillihertz: 60_000, frameNanoseconds: millisecond))
    case .debtReset:
      guest = GuestModel(name, .openLoop(interval: 2 * millisecond), frameNanoseconds: 40 * millisecond)
    case .replay:
      guest = GuestModel(name, .openLoop(interval: millisecond), frameNanoseconds: 4 * millisecond)
    }
    guest.hostility = hostility
    return guest
  }
}
