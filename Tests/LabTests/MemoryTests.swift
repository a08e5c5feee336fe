import LinuxIO
import PresentProtocol
import Scanout
import Testing

/// The memory of one daemon shared among many clients, with the sizes of ConVGPU (CLUSTER 2017). The pages are not
/// touched, so that the real sizes fit any machine.
@Suite("Memory for many clients", .serialized, .enabled(if: Lab.card == nil))
struct MemoryTests {
  private static let config = """
    [memory]
    capacity = "6G"
    overhead = "20M"
    max-per-vm = "98M"
    [outputs]
    layout = "focus"
    """

  @Test
  func `of 60 clients of 98 MB on 6 GB the 53rd and later wait, are refused on request, or are served when others end`()
    throws
  {
    let host = try LabHost(outputs: ["headless:640x480@60"], config: MemoryTests.config)
    var clients = try (0..<60).map { try MemoryClient(host, "vm\($0)", waits: $0 < 58) }
    for client in clients { try client.ask() }
    try MemoryClient.listen(clients) { clients.count { $0.hasBuffer } == 52 && clients[59].refusal != nil }
    #expect(clients[..<52].allSatisfy { $0.hasBuffer })
    #expect(clients[52..<58].allSatisfy { !$0.hasBuffer && $0.refusal == nil && !$0.isEnded })
    #expect(clients[58..<60].allSatisfy { $0.refusal?.code == .noMemory && !$0.isEnded })

    // Three end; exactly the three oldest waiting clients are served.
    for index in [30, 7, 51] { clients[index].leave() }
    try MemoryClient.listen(clients) { clients[52..<55].allSatisfy(\.hasBuffer) }
    try MemoryClient.listen(clients, milliseconds: 200)
    #expect(clients[55..<58].allSatisfy { !$0.hasBuffer && !$0.isEnded })

    for index in 0..<52 { clients[index].leave() }
    try MemoryClient.listen(clients) { clients[52..<58].allSatisfy(\.hasBuffer) }
    clients = []
    try LabHost.pause(milliseconds: 200)
    #expect(try host.framepath(["status", "--json"]).contains(#""bufferBytes":0"#))
    #expect(host.stop() == .status(0))
  }

  @Test func `a larger capacity serves waiting clients at once`() throws {
    let host = try LabHost(outputs: ["headless:640x480@60"], config: MemoryTests.config)
    let clients = try (0..<54).map { try MemoryClient(host, "vm\($0)", waits: true) }
    for client in clients { try client.ask() }
    try MemoryClient.listen(clients) { clients.count { $0.hasBuffer } == 52 }
    try host.reload(config: MemoryTests.config.replacing("6G", with: "7G"))
    try MemoryClient.listen(clients) { clients.allSatisfy { $0.hasBuffer } }
  }
}

/// A client with one buffer of 5120 pixels' width.
private final class MemoryClient {
  private(set) var hasBuffer = false
  private(set) var refusal: ErrorMessage?
  private(set) var isEnded = false
  private let waits: Bool
  private var connection: PresentConnection?
  private var generation: UInt32 = 0

  init(_ host: LabHost, _ name: String, waits: Bool) throws {
    self.waits = waits
    connection = try PresentConnection.connect(host.socket)
    _ = try connection?.send(.hello(Hello(kind: .container, name: name, scanoutCount: 1)))
    try MemoryClient.listen([self]) { generation > 0 }
  }

  func ask() throws {
    _ = try connection?.send(
      .createBuffer(
        CreateBuffer(
          bufferID: 1, scanout: 0, generation: generation, width: 5_120, height: 5_017, format: .xrgb8888,
          usage: .frame, waits: waits), request: 1))
  }

  func leave() { connection = nil }

  /// Receives the daemon's messages until a condition holds.
  static func listen(
    _ clients: [MemoryClient], milliseconds: UInt64 = 20_000, until isSo: () -> Bool = { false }
  ) throws {
    let deadline = monotonicNanoseconds() + milliseconds * 1_000_000
    while !isSo() {
      if monotonicNanoseconds() > deadline {
        if milliseconds < 20_000 { return }
        let (served, told) = (clients.count { $0.hasBuffer }, clients.count { $0.refusal != nil })
        throw LabError("\(served) of \(clients.count) clients have their buffer, \(told) were told that there is none")
      }
      for client in clients { try client.hear() }
      try LabHost.pause(milliseconds: 2)
    }
  }

  private func hear() throws {
    var fds = ReceivedFDs()
    do throws(PresentProtocolError) {
      while let message = try connection?.receiveServerMessage(fds: &fds) {
        switch message {
        case .output(let output): generation = output.generation
        case .buffer: hasBuffer = true
        case .error(let error, request: 1): refusal = error
        default: break
        }
      }
    } catch {
      if error == .closed { isEnded = true } else { throw error }
      connection = nil
    }
  }
}
