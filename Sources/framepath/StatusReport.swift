import CommandSupport
import FoundationEssentials
import HostProbe
import LinuxIO

/// The daemon's status, as far as a person is shown it.
struct StatusReport: Decodable {
  /// An output and its counters.
  struct Output: Decodable {
    var name: String
    var kind: String
    var width: Int
    var height: Int
    var refreshMillihertz: Int
    var commits: UInt64
    var missedVblanks: UInt64
    var connected: Bool?
    var power: String?
    var vm: String?
    var lessee: Lessee?

    /// Who has it as a DRM lease.
    struct Lessee: Decodable {
      var name: String
      var pid: Int
      var sinceNanoseconds: UInt64
    }
  }

  /// A head of a VM.
  struct Scanout: Decodable {
    var index: Int
    var output: String?
    var width: Int
    var height: Int
    var format: String?
    var path: String?
    var pathReason: String?
    var framesPresented: UInt64
    var framesFlipped: UInt64
    var framesSuperseded: UInt64
    var cpuCopies: UInt64
    var copiedBytes: UInt64
    var latchMedianNanoseconds: UInt64?
    var latchP99Nanoseconds: UInt64?
    var grantedFrames: UInt64?
    var grantedBlitNanoseconds: UInt64?
  }

  /// A client.
  struct VM: Decodable {
    var name: String
    var pid: Int
    var weight: Int?
    var scanouts: [Scanout]
  }

  var outputs: [Output]
  var vms: [VM]

  /// From the daemon's JSON; keys that are not known here are passed over.
  init(json: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(StatusReport.self, from: Data(json))
    } catch {
      throw HostProbeError("framepathd's status is not what this framepath understands; see status --json. (\(error))")
    }
  }

  /// The report as text.
  var lines: [String] { outputLines + [""] + vmLines }

  private var outputLines: [String] {
    guard !outputs.isEmpty else { return ["No outputs."] }
    var table = TextTable(["OUTPUT", "KIND", "MODE", ">COMMITS", ">MISSED", "VM"])
    for output in outputs {
      let hertz = Double(output.refreshMillihertz) / 1000
      var mode =
        output.connected == false
        ? "no monitor" : "\(output.width)x\(output.height)@\(TextTable.fixed(hertz, decimals: 2))"
      if let power = output.power, power != "on" { mode += " \(TextTable.printable(power))" }
      let counters = ["\(output.commits)", "\(output.missedVblanks)"]
      table.add([output.name, output.kind, mode] + counters + [StatusReport.known(output.vm)])
      if let lessee = output.lessee {
        let now = monotonicNanoseconds()
        let seconds = now > lessee.sinceNanoseconds ? (now - lessee.sinceNanoseconds) / 1_000_000_000 : 0
        table.add(note: "leased to \(lessee.name) (process \(lessee.pid)) for \(seconds) s")
      }
    }
    return table.lines
  }

  private var vmLines: [String] {
    guard !vms.isEmpty else { return ["No VMs."] }
    var table = TextTable([
      "VM", ">PID", ">HEAD", "OUTPUT", "SIZE", "FORMAT", "PATH", ">PRESENTED", ">FLIPPED", ">SUPERSEDED",
      ">COPIES/FRAME", ">COPIED",
    ])
    for vm in vms {
      if vm.scanouts.isEmpty { table.add([vm.name, "\(vm.pid)", "-"]) }
      for (position, scanout) in vm.scanouts.enumerated() {
        let isFirst = position == 0
        table.add([isFirst ? vm.name : "", isFirst ? "\(vm.pid)" : ""] + StatusReport.cells(scanout))
        if let reason = scanout.pathReason, !reason.isEmpty { table.add(note: reason) }
      }
    }
    return table.lines
  }

  private static func known(_ text: String?) -> String { text.flatMap { $0.isEmpty ? nil : $0 } ?? "-" }

  private static func cells(_ scanout: Scanout) -> [String] {
    let isOff = scanout.width == 0 || scanout.height == 0
    let frames = scanout.framesPresented
    let copies = frames == 0 ? "-" : TextTable.fixed(Double(scanout.cpuCopies) / Double(frames), decimals: 2)
    return [
      "\(scanout.index)", known(scanout.output), isOff ? "off" : "\(scanout.width)x\(scanout.height)",
      isOff ? "-" : known(scanout.format), known(scanout.path), "\(frames)", "\(scanout.framesFlipped)",
      "\(scanout.framesSuperseded)", copies, TextTable.bytes(scanout.copiedBytes),
    ]
  }
}
