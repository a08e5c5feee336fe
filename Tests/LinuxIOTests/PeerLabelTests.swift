import TestSupport
import Testing

@testable import LinuxIO

@Suite("A peer's user and security label")
struct PeerLabelTests {
  @Test(arguments: [
    ("libvirt-2c5e (enforce)", "libvirt-2c5e"), ("libvirt-2c5e (complain)", "libvirt-2c5e"),
    ("unconfined", "unconfined"), ("/usr/bin/a (b) (enforce)", "/usr/bin/a (b)"),
    ("system_u:system_r:svirt_t:s0:c1,c2\0", "system_u:system_r:svirt_t:s0:c1,c2"), ("", nil), ("\0", nil),
  ])
  func `the kernel's label is read without AppArmor's mode and the end of a C string`(_ text: String, _ label: String?)
  {
    #expect(UnixSocket.label(Array(text.utf8)) == label)
  }

  @Test func `bytes that are no text are no label`() { #expect(UnixSocket.label([0x41, 0xff]) == nil) }

  @Test func `the label of an own connection is that of the process, if a security module gives it one`() throws {
    let folder = try TemporaryFolder()
    let listener = try UnixSocket.listen("\(folder.path)/socket", .seqpacket)
    let own = try? UnixSocket.label(LinuxFile.read("/proc/self/attr/current"))
    let connection = try UnixSocket.connect("\(folder.path)/socket", .seqpacket)
    #expect(try listener.accept()?.peerLabel() == own)
    print("own label: \(own ?? "none"), socket's: \(connection.peerLabel() ?? "none")")
  }

  @Test(.enabled(if: currentUserID() == 0))
  func `a connection of another user has that user's numbers, and the next one this process's`() throws {
    let folder = try TemporaryFolder()
    try LinuxFile.setMode(of: folder.path, to: 0o711)
    let listener = try UnixSocket.listen("\(folder.path)/socket", .seqpacket, mode: 0o666)
    let other = try UnixSocket.connect("\(folder.path)/socket", asUser: 65534)
    let accepted = try #require(try listener.accept()?.peerCredentials())
    #expect((accepted.uid, accepted.gid) == (65534, 65534))
    let own = try UnixSocket.connect("\(folder.path)/socket", .seqpacket)
    #expect(try listener.accept()?.peerCredentials().uid == 0)
    withExtendedLifetime((other.fd.raw, own.fd.raw)) {}
  }
}
