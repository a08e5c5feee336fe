import Glibc

/// Code under test that takes arbitrary bytes. A trap, a memory error or a failed `check` is a finding.
enum FuzzTarget: String, CaseIterable {
  /// Messages of two clients of a server with a fake output.
  case client
  /// virtio-gpu commands, and events of the display.
  case gpu
  /// vhost-user messages, with rings in shared memory.
  case vhostUser = "vhost-user"
  /// A region's header and rings, written by the other side.
  case region
  /// EDIDs of monitors.
  case edid
  /// The configuration file.
  case configuration

  func run(_ input: consuming FuzzInput) throws {
    switch self {
    case .client: try ClientMessages.run(&input)
    case .gpu: try GPUCommands.run(&input)
    case .vhostUser: try VhostUserMessages.run(&input)
    case .region: try RegionMemory.run(&input)
    case .edid: MonitorEDIDs.run(&input)
    case .configuration: ConfigurationText.run(&input)
    }
  }
}

/// Ends the program, which libFuzzer reports with the input, if a condition does not hold.
func check(_ holds: Bool, _ what: @autoclosure () -> String) {
  if !holds { fatalError(what()) }
}

/// Set once before the first run; libFuzzer has one thread.
nonisolated(unsafe) private var selected = FuzzTarget.edid

/// Selects the target of that name; false if there is none.
@c(framepath_fuzz_select)
public func framepathFuzzSelect(_ name: UnsafePointer<CChar>) -> Bool {
  guard let target = FuzzTarget(rawValue: unsafe String(cString: name)) else { return false }
  unsafe selected = target
  return true
}

/// Runs the selected target with an input.
@c(framepath_fuzz_run)
public func framepathFuzzRun(_ bytes: UnsafePointer<UInt8>?, _ count: Int) {
  let input = FuzzInput(unsafe Array(UnsafeBufferPointer(start: bytes, count: count)))
  do { try unsafe selected.run(input) } catch { fatalError("the test's own part failed: \(error)") }
}
