import LinuxIO
import PresentProtocol
import TestSupport

extension Attack {
  /// S4: a huge page that is discarded is taken from the pool again at the next access; an empty pool is SIGBUS.
  static let hugePageAttacks = [
    Attack(
      name: "huge-region", what: "a region in a huge page that is discarded, the pool empty", missing: withoutPages
    ) {
      stage in
      let pages = try HugePages(4)
      return try discarding(stage, pages) { memory in
        let region = try HostileRegion(stage, memory: memory)
        try pages.discard(0, of: memory)
        let taken = try pages.takeAll()
        for _ in 0..<20 {
          region.ring()
          try region.client.receive(milliseconds: 1)
        }
        withExtendedLifetime(taken) {}
      }
    },
    Attack(name: "huge-snapshot", what: "SNAPSHOT of a picture in a discarded huge page", missing: withoutPages) {
      stage in
      let pages = try HugePages(4)
      return try discarding(stage, pages) { memory in
        let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: 2 << 20)])
        let client = try HostileClient(stage, "evil", output: AttackStage.tiledOutput)
        guard let message = client.imported(1, width: 640, height: 480, ranges: 1) else { return }
        try client.insist(message, [list.raw, memory.raw])
        try pages.discard(0, of: memory)
        let taken = try pages.takeAll()
        for _ in 0..<4 {
          try client.insist(client.present(1, width: 640, height: 480))
          try client.insist(.snapshot(.vm(name: "evil", scanout: 0), request: client.nextRequest()))
          try client.receive(milliseconds: 10)
        }
        withExtendedLifetime(taken) {}
      }
    },
  ]

  private static func withoutPages() -> String? { HugePages.areThere ? nil : "the machine has no free huge pages" }

  private static func discarding(
    _ stage: AttackStage, _ pages: HugePages, _ step: (SharedFD) throws -> Void
  ) throws -> Int {
    var count = 0
    while !stage.isOver {
      count += 1
      do { try step(pages.makeMemory(count: 2)) } catch is Ended {} catch is SystemError {}
    }
    return count
  }
}
