extension ThroughputReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    var page = ReportPage(
      title: "The cost of a frame", command: command,
      notes: [
        machine.text,
        "Device \(device.rawValue), path \(path), \(sizes.first?.runs.count ?? 0) runs. Bars are medians, lines span "
          + "the smallest to the largest run.",
      ], sections: [])
    for size in sizes { page.sections.append(section(size)) }
    return page
  }

  private static let phases: [(name: String, figures: @Sendable (ThroughputRun) -> PhaseFigures)] = [
    ("unpaced", { $0.unpaced }), ("unpaced 16×16", { $0.unpacedCorner }), ("paced", { $0.paced }),
    ("paced 16×16", { $0.pacedCorner }),
  ]

  private func section(_ size: Size) -> ReportPage.Section {
    let last = size.runs.last
    var section = ReportPage.Section(title: "\(size.width) × \(size.height)")
    section.notes = ["Path \(last?.path ?? "-"). \(last?.pathReason ?? "")"]
    var cpu: [BarChart.Bar] = []
    for phase in ThroughputReport.phases {
      cpu.append(BarChart.Bar("\(phase.name): backend", size.spread { phase.figures($0).backendMicroseconds }))
      cpu.append(BarChart.Bar("daemon", series: 1, size.spread { phase.figures($0).daemonMicroseconds }))
    }
    section.charts = [
      BarChart("CPU time per frame", unit: "µs", series: ["backend", "daemon"], bars: cpu),
      BarChart(
        "Presented frames", unit: "per second",
        bars: ThroughputReport.phases.map { phase in
          BarChart.Bar(phase.name, size.spread { phase.figures($0).framesPerSecond })
        }, isLogarithmic: true),
    ]
    section.charts += latencyCharts(size)
    if size.runs.contains(where: { $0.wakeUpFloor != nil }) {
      let floor = { (figure: KeyPath<WakeUpFloor, Double>) -> Spread in
        Spread(size.runs.compactMap { $0.wakeUpFloor?[keyPath: figure] })
      }
      section.charts.append(
        BarChart(
          "CPU time of one wake-up of an idle process", unit: "µs",
          bars: [
            BarChart.Bar("paced", floor(\.pacedMicroseconds)), BarChart.Bar("1000 Hz", floor(\.fastMicroseconds)),
            BarChart.Bar("back to back", floor(\.unpacedMicroseconds)),
          ]))
    }
    section.charts += peerCharts(size)
    section.tables = [table(size)]
    if let ratios = ratioTable(size) { section.tables.append(ratios) }
    return section
  }

  /// Latencies by stage on an idle screen and at the refresh rate, and the intervals between flips.
  private func latencyCharts(_ size: Size) -> [any ReportChart] {
    var charts: [any ReportChart] = []
    for phase in [ThroughputReport.phases[2], ThroughputReport.idle] {
      var bars: [BarChart.Bar] = []
      for stage in FrameStages.Stage.allCases {
        let figure = { (of: KeyPath<Percentiles, UInt64>) -> Spread in
          size.spread { run in Double(phase.figures(run).stages.map { $0[stage][keyPath: of] } ?? 0) / 1000 }
        }
        bars.append(BarChart.Bar("\(stage.rawValue): median", figure(\.median)))
        bars.append(BarChart.Bar("99 %", series: 1, figure(\.p99)))
      }
      charts.append(
        BarChart(
          "From the kick, \(phase.name)", unit: "µs", series: ["median", "99 %"], bars: bars, isLogarithmic: true))
    }
    var bars: [BarChart.Bar] = []
    for phase in ThroughputReport.phases {
      bars.append(BarChart.Bar("\(phase.name): median", size.spread { phase.figures($0).stages?.medianPeriods ?? 0 }))
      bars.append(BarChart.Bar("99 %", series: 1, size.spread { phase.figures($0).stages?.p99Periods ?? 0 }))
    }
    charts.append(
      BarChart("From flip to flip", unit: "refresh periods", series: ["median", "99 %"], bars: bars))
    return charts
  }

  private static let idle: (name: String, figures: @Sendable (ThroughputRun) -> PhaseFigures) = (
    "idle screen", { $0.idleWhole }
  )

  private func peerCharts(_ size: Size) -> [any ReportChart] {
    guard let peers = size.runs.first?.peers, !peers.isEmpty else { return [] }
    var cpu = [BarChart.Bar("ours, unpaced", size.spread { $0.unpaced.totalMicroseconds })]
    var rate = [BarChart.Bar("ours, unpaced", size.spread { $0.unpaced.framesPerSecond })]
    for (index, peer) in peers.enumerated() {
      cpu.append(BarChart.Bar(peer.name, series: 1, size.spread { $0.peers[index].unpaced.backendMicroseconds }))
      rate.append(BarChart.Bar(peer.name, series: 1, size.spread { $0.peers[index].unpaced.framesPerSecond }))
    }
    return [
      BarChart(
        "Beside others, same load: CPU time per frame", unit: "µs (ours: backend and daemon)", bars: cpu,
        isLogarithmic: true),
      BarChart(
        "Beside others, same load: whole pictures", unit: "frames per second", bars: rate, isLogarithmic: true),
    ]
  }

  /// Each run beside each peer.
  private func ratioTable(_ size: Size) -> [[String]]? {
    guard size.runs.contains(where: { !$0.peers.isEmpty }) else { return nil }
    var rows = [
      [
        "Run", "Peer", "Our frames/s over its", "Pictures we copied/s over its", "Its CPU over ours, per frame",
        "Per picture copied or shown", "Paced",
      ]
    ]
    for (number, run) in size.runs.enumerated() {
      for peer in run.peers {
        rows.append([
          "\(number + 1)", peer.name, shortNumber(run.rateRatio(peer)), shortNumber(run.copiedRateRatio(peer)),
          shortNumber(run.unpacedCPURatio(peer)), shortNumber(run.pictureCPURatio(peer)),
          shortNumber(run.pacedCPURatio(peer)),
        ])
      }
    }
    return rows
  }

  /// Every run.
  private func table(_ size: Size) -> [[String]] {
    var rows = [
      [
        "Run", "Phase", "Frames", "Frames/s", "Backend µs", "Daemon µs", "Switches/frame", "Wake-ups/frame",
        "Presented", "Flipped",
        "Superseded", "Copies", "Bytes copied",
      ]
    ]
    for (number, run) in size.runs.enumerated() {
      for phase in ThroughputReport.phases {
        rows.append(ThroughputReport.row("\(number + 1)", phase.name, phase.figures(run)))
      }
      for peer in run.peers {
        rows.append(ThroughputReport.row("\(number + 1)", "\(peer.name), unpaced", peer.unpaced))
        rows.append(ThroughputReport.row("\(number + 1)", "\(peer.name), paced", peer.paced))
      }
    }
    return rows
  }

  private static func row(_ run: String, _ name: String, _ figures: PhaseFigures) -> [String] {
    [
      run, name, "\(figures.frames)", shortNumber(figures.framesPerSecond), shortNumber(figures.backendMicroseconds),
      shortNumber(figures.daemonMicroseconds), shortNumber(figures.switchesPerFrame),
      shortNumber(figures.wakeUpsPerFrame), "\(figures.presented)", "\(figures.flipped)", "\(figures.superseded)",
      "\(figures.cpuCopies)", "\(figures.copiedBytes)",
    ]
  }
}
