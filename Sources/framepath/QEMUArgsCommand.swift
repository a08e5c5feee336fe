public import ArgumentParser
public import HostProbe
import LinuxIO
import PresentProtocol

extension QEMUArguments.ShapeChoice: ExpressibleByArgument {}
extension RegionArguments.Choice: ExpressibleByArgument {}

/// `framepath qemu-args`.
struct QEMUArgsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "qemu-args",
    abstract: "Prints the QEMU arguments for a VM.",
    discussion: """
      Runs the QEMU program to find its devices. QEMU 10.2 and newer get the complete device (guest blobs, the guest \
      is paced by the monitor), older ones vhost-user-gpu (one copy per frame). The arguments need no quoting. They \
      set the guest's memory (-m), which must be shared with the backend, and merge with your own -machine.

      Start framepath-vhost-user-gpu for the VM first: QEMU connects to its socket.

      Examples:
        framepath-vhost-user-gpu --vm web \\
          --socket-path $XDG_RUNTIME_DIR/framepath/web.sock &
        qemu-system-x86_64 -drive file=web.qcow2 \\
          $(framepath qemu-args --vm web --memory 4G)
        framepath qemu-args --vm web --qemu ./qemu-system-x86_64 --explain
      """)

  @Option(help: ArgumentHelp("The VM's name.", valueName: "name")) var vm: String
  @Option(
    help: ArgumentHelp("The QEMU program that will get the arguments.", valueName: "binary"))
  var qemu = QEMUBinary.defaultName
  @Option(help: ArgumentHelp("The size of the guest's memory.", valueName: "size")) var memory = "1G"
  @Option(
    help: ArgumentHelp(
      "The socket of the VM's backend.", discussion: "Default: NAME.sock beside the daemon's socket.",
      valueName: "path"))
  var socketPath: String?
  @Option(help: "The device; auto is the best one available.") var shape = QEMUArguments.ShapeChoice.auto
  @Option(help: ArgumentHelp("The maximum number of scanouts (vhost-user-gpu).", valueName: "n")) var heads = 1
  @Option(
    help: ArgumentHelp(
      "Instead of a screen, a region of graphics memory for a client in the guest: auto, doorbell or plain.",
      discussion: "Start framepath-ivshmem first; --socket-path is its socket, NAME-region.sock by default."))
  var ivshmem: RegionArguments.Choice?
  @Flag(help: "Print this QEMU's capabilities on standard error.") var explain = false

  func validate() throws {
    do throws(HostProbeError) {
      _ = try QEMUArguments.checkedName(vm)
      _ = try QEMUArguments.checkedMemory(memory)
    } catch {
      throw ValidationError(error.description)
    }
    guard (1...16).contains(heads) else { throw ValidationError("--heads takes 1 to 16.") }
  }

  func run() throws {
    let capabilities = try QEMUBinary.capabilities(qemu)
    if explain {
      try LinuxFile.writeToStandardError("\(qemu) \(capabilities.version): \(capabilities.summary)\n")
    }
    if let ivshmem {
      let region = RegionArguments(socketPath: socketPath ?? defaultPath("\(vm)-region.sock"), choice: ivshmem)
      let words = try region.words(for: capabilities) { () throws(HostProbeError) in try region.servedByteCount() }
      return print(words.joined(separator: " "))
    }
    var request = QEMUArguments(socketPath: socketPath ?? defaultPath("\(vm).sock"), memory: memory, shape: shape)
    request.headCount = heads
    print(try request.words(for: capabilities, kvm: kvmFailure).joined(separator: " "))
  }

  private func defaultPath(_ file: String) -> String {
    let daemonPath = PresentSocket.defaultPath()
    let directory = daemonPath.lastIndex(of: "/").map { String(daemonPath[..<$0]) } ?? "."
    return "\(directory)/\(file)"
  }

  private var kvmFailure: String? {
    do throws(SystemError) {
      try KVM.tryOut()
      return nil
    } catch {
      return error.description
    }
  }
}
