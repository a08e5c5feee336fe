import Glibc
import LinuxIO
import PresentProtocol

extension Attack {
  /// Requests for buffers.
  static let bufferFloods = [
    Attack(name: "create", what: "CREATE_BUFFER of 128 MiB and DESTROY_BUFFER in turn") { stage in
      try stage.withClients {
        try HostileClient(stage, "evil")
      } _: { client in
        try client.insist(client.buffer(1, width: 8192, height: 4096))
        try client.insist(.destroyBuffer(1))
        try client.receive(milliseconds: 0)
      }
    },
    Attack(name: "import", what: "IMPORT_BUFFER of 4096 scattered pages, and DESTROY_BUFFER") { stage in
      let memory = try ScatteredMemory()
      return try stage.withClients {
        try HostileClient(stage, "evil")
      } _: { client in
        if let message = client.imported(1, width: 2048, height: 2048, ranges: ScatteredMemory.rangeCount) {
          try client.insist(message, memory.descriptors)
        }
        try client.insist(.destroyBuffer(1))
        try client.receive(milliseconds: 0)
      }
    },
    // S13: each picture read by a snapshot was mapped, range by range, and stayed mapped.
    Attack(name: "mappings", what: "64 buffers of 4096 scattered pages, with a SNAPSHOT of each") { stage in
      let memory = try ScatteredMemory()
      var next: UInt32 = 0
      return try stage.withClients {
        next = 0
        return try HostileClient(stage, "evil")
      } _: { client in
        let id = next % 64 + 1
        next += 1
        if next <= 64, let message = client.imported(id, width: 2048, height: 2048, ranges: ScatteredMemory.rangeCount)
        {
          try client.insist(message, memory.descriptors)
        }
        try client.insist(client.present(id, width: 2048, height: 2048))
        try client.insist(.snapshot(.vm(name: "evil", scanout: 0), request: client.nextRequest()))
        try client.receive(milliseconds: 1)
      }
    },
    // S5: to read it takes pages for its holes, and a time that nobody else may wait for.
    Attack(name: "sparse", what: "SNAPSHOT of a sparse picture of 8192x8192") { stage in
      let byteCount = 8192 * 8192 * 4
      let memory = try MemFD.create(name: "sparse", byteCount: byteCount)
      let list = try ImportRanges.list([ImportRanges.Entry(descriptor: 0, offset: 0, byteCount: byteCount)])
      return try stage.withClients {
        let client = try HostileClient(stage, "evil")
        if let message = client.imported(1, width: 8192, height: 8192, ranges: 1) {
          try client.insist(message, [list.raw, memory.raw])
        }
        return client
      } _: { client in
        try client.insist(client.present(1, width: 8192, height: 8192))
        try client.insist(.snapshot(.vm(name: "evil", scanout: 0), request: client.nextRequest()))
        try client.receive(milliseconds: 1)
      }
    },
  ]
}

/// A picture of 2048x2048 pixels whose pages are in the opposite order.
private final class ScatteredMemory {
  static let rangeCount = 4096
  private let memory: OwnedFD
  private let list: OwnedFD

  init() throws {
    let page = 4096
    memory = try MemFD.create(name: "scattered", byteCount: ScatteredMemory.rangeCount * page)
    list = try ImportRanges.list(
      (0..<ScatteredMemory.rangeCount).map {
        ImportRanges.Entry(descriptor: 0, offset: (ScatteredMemory.rangeCount - 1 - $0) * page, byteCount: page)
      })
  }

  var descriptors: [Int32] { [list.raw, memory.raw] }
}
