import CFaults
import Glibc
import LinuxIO

/// One thing that a process tries.
enum Action: String {
  case openFile, createFile, statFile, exec, fork, socket, connect, bind, kill, ptrace, mount, execMemory, ownHandler
  case raiseLimit, changeMode, changeOwner, udpSocket, unknownCall, otherThread, truncatePath, ioctl
  case loop, threads, memory, raise, abort, hold, readSystem, listDevices
}

/// What the actions need, opened before the sandbox is closed.
final class Stage {
  let loop: EventLoop
  let memory: OwnedFD
  let raiser: EventRaiser
  let event: EventFD
  let pair: SocketPair

  init() throws {
    loop = try EventLoop()
    memory = try MemFD.create(name: "stage", byteCount: 1 << 16)
    raiser = try EventRaiser()
    event = try EventFD()
    pair = try UnixSocket.pair(.stream)
  }

  /// Whether it worked.
  func run(_ action: Action) -> Bool {
    switch action {
    case .openFile: return open("/etc/hostname", O_RDONLY) >= 0
    case .createFile: return open("/tmp/framepath-sandbox-\(getpid())", O_WRONLY | O_CREAT, 0o600) >= 0
    case .statFile:
      var facts = stat()
      return stat("/etc/hostname", &facts) == 0
    case .exec:
      var words: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
      return execv("/bin/true", &words) == 0
    case .fork: return framepath_call_fork() >= 0
    case .socket: return Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) >= 0
    case .connect: return (try? UnixSocket.connect("/tmp/framepath-nowhere", .stream)) != nil
    case .bind:
      var address = sockaddr()
      return Glibc.bind(pair.first.fd.raw, &address, 2) == 0
    case .kill: return Glibc.kill(getppid(), 0) == 0
    case .ptrace: return framepath_call_ptrace() >= 0
    case .mount: return framepath_call_mount() >= 0
    case .execMemory: return mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
    case .ownHandler: return framepath_ignore_violations() == 0
    case .raiseLimit: return framepath_set_core_limit() == 0
    case .unknownCall: return framepath_call(9999) >= 0
    case .otherThread: return onThread { _ = open("/etc/hostname", O_RDONLY) }
    case .truncatePath: return truncate("/tmp/framepath-nowhere", 0) == 0
    case .changeMode: return chmod("/tmp/framepath-nowhere", 0o666) == 0
    case .changeOwner: return chown("/tmp/framepath-nowhere", 0, 0) == 0
    case .udpSocket: return Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0) >= 0
    // TIOCSTI types into a terminal.
    case .ioctl: return Glibc.ioctl(2, 0x5412, 0) == 0
    case .loop: return runLoop()
    case .threads: return onThread {}
    case .memory: return useMemory()
    case .raise: return raiseEvent()
    case .readSystem: return LinuxFile.text("/proc/self/statm") != nil && (try? LinuxFile.list("/sys/class")) != nil
    case .listDevices: return (try? LinuxFile.list(LinuxFile.status("/dev/dri") == nil ? "/dev" : "/dev/dri")) != nil
    case .abort: Glibc.abort()
    case .hold:
      return (try? loop.run()) != nil
    }
  }

  private func onThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let context = Unmanaged.passRetained(Body(body)).toOpaque()
    guard
      let thread = try? WorkerThread(
        name: "fp-test", context: context,
        { context in
          if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().body() }
          return nil
        })
    else { return false }
    withExtendedLifetime(thread) {}
    return true
  }

  private func runLoop() -> Bool {
    do {
      let timer = try TimerFD()
      var isDone = false
      let source = try loop.add(timer.fd.raw) { _ in isDone = true }
      timer.arm(deadlineNanoseconds: monotonicNanoseconds() + 1_000_000)
      while !isDone { try loop.runOnce(timeoutMilliseconds: 1000) }
      loop.remove(source)
      let sent = try [UInt8](repeating: 7, count: 3).withUnsafeBytes { bytes in
        try pair.first.send(bytes, fds: [memory.raw])
      }
      var fds = ReceivedFDs()
      var space = [UInt8](repeating: 0, count: 8)
      let result = try space.withUnsafeMutableBytes { space in try pair.second.receive(into: space, fds: &fds) }
      return sent == 3 && result == .bytes(3) && fds.count == 1
    } catch { return false }
  }

  private func useMemory() -> Bool {
    do {
      let fresh = try MemFD.create(name: "fresh", byteCount: 1 << 20)
      let mapping = try Mapping(fd: fresh.raw, byteCount: 1 << 20)
      let large = [UInt8](repeating: 1, count: 8 << 20)
      return mapping.bytes[4096] == 0 && large.count == 8 << 20 && AnonymousFile(of: event.fd.raw) != nil
    } catch { return false }
  }

  private func raiseEvent() -> Bool {
    raiser.raise(event.fd.raw)
    let ready = try? waitUntilReady(event.fd.raw, .readable, timeoutMilliseconds: 10_000)
    return ready?.contains(.readable) == true && event.drain() > 0
  }
}

private final class Body: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
