import CommandSupport
import StatusModel

/// The tables that `framepath status` prints.
struct StatusTables {
  private let status: DaemonStatus

  init(_ status: DaemonStatus) { self.status = status }

  /// A table of the outputs and one of the scanouts.
  var lines: [String] { outputLines + [""] + vmLines }

  private var outputLines: [String] {
    guard !status.outputs.isEmpty else { return ["No outputs."] }
    var table = TextTable(["OUTPUT", "KIND", "MODE", ">COMMITS", ">MISSED", "VM"])
    for output in status.outputs {
      let hertz = Double(output.refreshMillihertz) / 1000
      var mode =
        output.connected ? "\(output.width)x\(output.height)@\(TextTable.fixed(hertz, decimals: 2))" : "no monitor"
      if output.power != .on { mode += " \(output.power.rawValue)" }
      let counters = ["\(output.commits)", "\(output.missedVblanks)"]
      table.add([output.name, output.kind.rawValue, mode] + counters + [output.vm ?? "-"])
      if let lessee = output.lessee {
        let now = max(status.nowNanoseconds, lessee.sinceNanoseconds)
        let seconds = (now - lessee.sinceNanoseconds) / 1_000_000_000
        table.add(note: "leased to \(lessee.name) (process \(lessee.pid)) for \(seconds) s")
      }
    }
    return table.lines
  }

  private var vmLines: [String] {
    guard !status.vms.isEmpty else { return ["No VMs."] }
    var table = TextTable([
      "VM", ">PID", ">HEAD", "OUTPUT", "SIZE", "FORMAT", "PATH", ">PRESENTED", ">FLIPPED", ">SUPERSEDED",
      ">COPIES/FRAME", ">COPIED",
    ])
    for vm in status.vms {
      if vm.scanouts.isEmpty { table.add([vm.name, "\(vm.pid)", "-"]) }
      for (position, scanout) in vm.scanouts.enumerated() {
        let isFirst = position == 0
        table.add([isFirst ? vm.name : "", isFirst ? "\(vm.pid)" : ""] + StatusTables.cells(scanout))
        if let reason = scanout.pathReason { table.add(note: reason) }
      }
    }
    return table.lines
  }

  private static func cells(_ scanout: DaemonStatus.Scanout) -> [String] {
    var size = "off"
    if let width = scanout.width, let height = scanout.height { size = "\(width)x\(height)" }
    let frames = scanout.framesPresented
    let copies = frames == 0 ? "-" : TextTable.fixed(Double(scanout.cpuCopies) / Double(frames), decimals: 2)
    return [
      "\(scanout.index)", scanout.output ?? "-", size, scanout.format ?? "-", scanout.path.rawValue, "\(frames)",
      "\(scanout.framesFlipped)", "\(scanout.framesSuperseded)", copies, TextTable.bytes(scanout.copiedBytes),
    ]
  }
}
