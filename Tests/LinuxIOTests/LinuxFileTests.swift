import LinuxIO
import Testing

/// Whether this process may mount; tried in a private mount namespace.
private let mayMount: Bool = {
  let script = ChildCommand("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"])
  return (try? ChildProcess.run(script))?.exit.isSuccess ?? false
}()

@Suite("Files")
struct LinuxFileTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = try ChildProcess.run(ChildCommand("mktemp", ["-d"])).output.filter { $0 != "\n" }
    defer { _ = try? ChildProcess.run(ChildCommand("rm", ["-r", directory])) }
    try body(directory)
  }

  @Test func `files of /proc are read although they do not report a size`() throws {
    #expect(LinuxFile.status("/proc/self/status")?.byteCount == 0)
    #expect(LinuxFile.text("/proc/sys/kernel/ostype") == "Linux")
    #expect(try LinuxFile.read("/proc/self/status", limit: 5) == Array("Name:".utf8))
  }

  @Test func `a file is replaced as a whole, and no temporary file is left`() throws {
    try withDirectory { directory in
      try LinuxFile.replace("\(directory)/a", with: [1, 2, 3])
      try LinuxFile.replace("\(directory)/a", with: [4])
      #expect(try LinuxFile.read("\(directory)/a") == [4])
      #expect(try LinuxFile.list(directory) == ["a"])
    }
  }

  @Test func `writing to a full device fails, and the device stays what it is`() throws {
    let error = #expect(throws: SystemError.self) { try LinuxFile.replace("/dev/full", with: [1]) }
    #expect(error == SystemError(call: "write", code: 28, subject: "/dev/full"))
    #expect(LinuxFile.status("/dev/full")?.kind == .characterDevice)
  }

  @Test(.enabled(if: mayMount))
  func `a file on a full disk keeps its former content`() throws {
    try withDirectory { directory in
      let mount = ["-t", "tmpfs", "-o", "size=64k", "none", directory]
      let mounted = try ChildProcess.run(ChildCommand("mount", mount))
      #expect(mounted.exit.isSuccess)
      defer { _ = try? ChildProcess.run(ChildCommand("umount", [directory])) }
      try LinuxFile.replace("\(directory)/a", with: [7])
      let large = [UInt8](repeating: 1, count: 1 << 20)
      let error = #expect(throws: SystemError.self) { try LinuxFile.replace("\(directory)/a", with: large) }
      #expect(error?.description == "write \(directory)/a: No space left on device (errno 28)")
      #expect(try LinuxFile.read("\(directory)/a") == [7])
      #expect(try LinuxFile.list(directory) == ["a"])
    }
  }

  @Test func `an error for a missing directory names the requested path`() throws {
    try withDirectory { directory in
      let path = "\(directory)/no/such.png"
      let error = #expect(throws: SystemError.self) { try LinuxFile.replace(path, with: [1]) }
      #expect(error?.description == "open \(path): No such file or directory (errno 2)")
      let onDirectory = #expect(throws: SystemError.self) { try LinuxFile.replace(directory, with: [1]) }
      #expect(onDirectory?.code == 21)
      let names = try LinuxFile.list(directory)
      #expect(names.isEmpty)
    }
  }

  @Test func `the type of a file is reported`() throws {
    #expect(LinuxFile.status("/dev/null")?.kind == .characterDevice)
    #expect(LinuxFile.status("/dev/null")?.permissions == 0o666)
    #expect(LinuxFile.status("/")?.kind == .directory)
    #expect(LinuxFile.status("/no-such-file") == nil)
    #expect(LinuxFile.linkTarget("/proc/self/exe") != nil)
    #expect(LinuxFile.linkTarget("/") == nil)
    #expect(LinuxFile.isAccessible("/bin/sh", [.read, .execute]))
    #expect(!LinuxFile.isAccessible("/proc/self/status", .execute))
    #expect(throws: SystemError.self) { try LinuxFile.list("/no-such-directory") }
  }

  @Test func `access to /dev/kvm is tested by opening it`() {
    let error = #expect(throws: SystemError.self) { try KVM.tryOut("/dev/null") }
    #expect(error?.call == "ioctl(KVM_GET_API_VERSION)")
    #expect(HostProcess.userName(0) == "root")
    #expect(HostProcess.groupName(0) == "root")
  }
}
