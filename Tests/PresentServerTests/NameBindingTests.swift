import DaemonSettings
import LinuxIO
import PresentProtocol
import ServerSupport
import StatusModel
import TestSupport
import Testing

@testable import PresentServer

@Suite("A name that the host keeps for someone")
struct NameBindingTests {
  private static let nobody: UInt32 = 65534

  private func hello(_ client: BenchClient, _ name: String) throws -> ServerMessage? {
    try client.send(.hello(Hello(kind: .vm, name: name, scanoutCount: 1)))
    return try client.messages().first
  }

  private func isWelcome(_ message: ServerMessage?) -> Bool { if case .welcome? = message { true } else { false } }

  private func taken(_ text: String) -> ServerMessage {
    .error(ErrorMessage(code: .nameTaken, text: text), request: 0)
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `is refused to other users, root included, and not to its own`() throws {
    let bench = try Bench([FakeOutput("a"), FakeOutput("b")], access: SocketAccess(mode: 0o666))
    try bench.server?.apply("[vm.web]\nuser = \"nobody\"\n[vm.db]\nuser = 0")
    let root = try bench.stranger()
    #expect(try hello(root, "web") == taken("the host keeps the name web for another user than 0"))
    #expect(try root.ends())
    let nobody = try bench.stranger(ofUser: Self.nobody)
    #expect(isWelcome(try hello(nobody, "web")))
    let usurper = try bench.stranger(ofUser: Self.nobody)
    #expect(try hello(usurper, "db") == taken("the host keeps the name db for another user than 65534"))
    let other = try bench.stranger()
    #expect(isWelcome(try hello(other, "db")))
    let status = try bench.readStatus()
    #expect(status.vms.map(\.name) == ["web", "db"])
    #expect(status.vms.map(\.uid) == [Self.nobody, 0])
    #expect(!nobody.isEnded && !other.isEnded)
  }

  @Test func `is refused to a client without the label`() throws {
    let bench = try Bench()
    try bench.server?.apply("[vm.web]\nlabel = \"libvirt-1\"")
    let client = try bench.stranger()
    guard case .error(let error, request: 0)? = try hello(client, "web") else {
      Issue.record("accepted")
      return
    }
    #expect(error.code == .nameTaken)
    #expect(error.text.hasPrefix("the host keeps the name web for a"))
    #expect(try client.ends())
  }

  @Test func `is given to whom the user and the label fit`() {
    var settings = VMSettings()
    func objection(uid: UInt32, label: String?) -> String? {
      settings.objection(toName: "web", of: PeerCredentials(pid: 1, uid: uid, gid: uid), label: label)
    }
    #expect(objection(uid: 5, label: nil) == nil)
    settings.label = "libvirt-1"
    #expect(objection(uid: 5, label: "libvirt-1") == nil)
    #expect(
      objection(uid: 5, label: "libvirt-2")
        == "the host keeps the name web for another security label than libvirt-2")
    #expect(objection(uid: 5, label: nil) == "the host keeps the name web for a client with a security label")
    settings.userID = 6
    #expect(objection(uid: 5, label: "libvirt-1") == "the host keeps the name web for another user than 5")
    #expect(objection(uid: 6, label: "libvirt-1") == nil)
    #expect(objection(uid: 6, label: "libvirt-2") != nil)
  }

  @Test func `is taken from a client that is connected, when it is given to another`() throws {
    let bench = try Bench([FakeOutput("a"), FakeOutput("b")])
    let (web, db) = (try bench.client("web"), try bench.client("db"))
    let other = currentUserID() &+ 1
    try bench.server?.apply("[vm.web]\nuser = \(other)\n[vm.db]\nuser = \(currentUserID())")
    let text = "the host keeps the name web for another user than \(currentUserID())"
    #expect(try web.messages() == [taken(text)])
    #expect(try web.ends())
    #expect(bench.lines.contains { $0.hasSuffix("refused: \(text)") })
    #expect(try db.messages().isEmpty && !db.isEnded)
    // Other settings end nobody.
    try bench.server?.apply("[vm.web]\nuser = \"any\"")
    let again = try bench.client("web")
    try bench.server?.apply("[vm.web]\nweight = 5")
    #expect(try bench.readStatus().vms.map(\.name) == ["db", "web"])
    #expect(!again.isEnded)
  }

  @Test func `is bound in its canonical form`() throws {
    let bench = try Bench()
    try bench.server?.apply("[vm.\"caf\u{E9}\"]\nuser = \(currentUserID() &+ 1)")
    let client = try bench.stranger()
    guard case .error(let error, request: 0)? = try hello(client, "cafe\u{301}") else {
      Issue.record("accepted")
      return
    }
    #expect(error.code == .nameTaken)
  }
}
