import FrameScheduler

extension Workload {
  /// `count` equal VMs that always have a frame ready. `load` is the blit time that they ask for at the refresh rate,
  /// in thousandths of the period.
  public static func equal(
    _ count: Int, refreshMillihertz: Int64 = 60_000, loadPermille: Int64 = 700
  ) -> Workload {
    let period = 1_000_000_000_000 / refreshMillihertz
    let cost = period * loadPermille / 1_000 / Int64(count)
    let guests = (0..<count).map { GuestModel("vm\($0)", .openLoop(interval: period / 4), frameNanoseconds: cost) }
    return Workload("equal\(count)@\(loadPermille)", refreshMillihertz: refreshMillihertz, guests)
  }

  /// VMs of the weights given that always have a frame ready; together they ask for `loadPermille` of the time.
  public static func weighted(
    _ weights: [Int64], refreshMillihertz: Int64 = 240_000, loadPermille: Int64 = 4_200
  ) -> Workload {
    let period = 1_000_000_000_000 / refreshMillihertz
    let cost = period * loadPermille / 1_000 / Int64(weights.count)
    let guests = weights.map {
      GuestModel("weight\($0)", .openLoop(interval: period / 8), frameNanoseconds: cost, weight: $0)
    }
    return Workload(
      "weights" + weights.map(String.init).joined(separator: ":"), refreshMillihertz: refreshMillihertz, guests)
  }

  /// Promises that fill `loadPermille` of the blit time that can be promised, each VM ready in time, beside one that
  /// takes all that is left.
  public static func promised(_ count: Int = 8, loadPermille: Int64 = 850) -> Workload {
    let rates: [Int64] = [60_000, 30_000, 30_000, 20_000]
    let capacity: Int64 = 1_000_000_000 / 1_000 * 800
    var guests: [GuestModel] = []
    let rateSum = (0..<count).reduce(Int64(0)) { $0 + rates[$1 % rates.count] }
    for vm in 0..<count {
      let rate = rates[vm % rates.count]
      let cost = capacity * loadPermille / rateSum
      let level = ServiceLevel(
        rateMillihertz: rate, frameNanoseconds: cost, deadlineVblanks: max(1, 60_000 / rate))
      guests.append(
        GuestModel(
          "sla\(rate / 1_000)-\(vm)", .openLoop(interval: 1_000_000_000_000 / rate), frameNanoseconds: cost,
          serviceLevel: level))
    }
    guests.append(GuestModel("greedy", .openLoop(interval: 4_000_000), frameNanoseconds: 12_000_000))
    return Workload("promised\(count)@\(loadPermille)", guests)
  }

  /// One VM, full screen on the plane, paced by its fences.
  public static var single: Workload {
    Workload("single", [GuestModel("desktop", .closedLoop(draw: 4_000_000, outstanding: 1), frameNanoseconds: 0)])
  }

  /// Nothing changes after the first frame.
  public static var idle: Workload {
    var guest = GuestModel("desktop", .openLoop(interval: 100_000_000), frameNanoseconds: 0)
    guest.stopsAt = 200_000_000
    return Workload("idle", [guest])
  }

  /// The kernel's drm_sched tests, as blits: a VM of four 50 ms frames beside one of 1 ms that then waits 9 ms.
  public static var interactiveBesideVeryHeavy: Workload {
    Workload(
      "very heavy",
      [
        GuestModel("interactive", .jobs(count: 1, wait: 9_000_000), frameNanoseconds: 1_000_000),
        GuestModel("very heavy", .jobs(count: 4, wait: 1_000_000), frameNanoseconds: 50_000_000),
      ])
  }

  /// The same with three frames of 2.5 ms and a pause as long.
  public static var interactiveBesideHeavy: Workload {
    Workload(
      "heavy",
      [
        GuestModel("interactive", .jobs(count: 1, wait: 9_000_000), frameNanoseconds: 1_000_000),
        GuestModel("heavy", .jobs(count: 3, wait: 2_500_000), frameNanoseconds: 2_500_000),
      ])
  }

  /// Two VMs with deep queues of 8 ms frames.
  public static var deepQueues: Workload {
    Workload(
      "two 8 ms",
      (0..<2).map { GuestModel("deep\($0)", .jobs(count: 8, wait: 0), frameNanoseconds: 8_000_000) })
  }

  /// Films and games of several rates, all promised, beside a desktop.
  public static var displayMix: Workload {
    let rates: [Int64] = [24_000, 25_000, 30_000, 48_000, 60_000]
    var guests = rates.map { rate in
      GuestModel(
        "video\(rate / 1_000)", .openLoop(interval: 1_000_000_000_000 / rate), frameNanoseconds: 800_000,
        serviceLevel: ServiceLevel(rateMillihertz: rate, frameNanoseconds: 800_000))
    }
    guests.append(GuestModel("game45", .openLoop(interval: 22_222_222), frameNanoseconds: 2_000_000))
    guests.append(GuestModel("typing", .openLoop(interval: 100_000_000), frameNanoseconds: 100_000))
    return Workload("display mix", guests)
  }

  /// The three VMs that hostile ones are put beside: typing, film, game.
  public static var victims: Workload {
    let victims: [(String, Nanoseconds, Int64, Nanoseconds)] = [
      ("typing", 100_000_000, 10_000, 100_000), ("film24", 41_666_667, 24_000, 1_500_000),
      ("game60", 16_666_667, 60_000, 3_000_000),
    ]
    let guests = victims.map { name, interval, rate, cost in
      GuestModel(
        name, .openLoop(interval: interval), frameNanoseconds: cost,
        serviceLevel: ServiceLevel(rateMillihertz: rate, frameNanoseconds: cost))
    }
    return Workload("victims", guests)
  }
}
