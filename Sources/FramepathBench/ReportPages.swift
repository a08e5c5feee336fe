extension CopiesReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    var page = ReportPage(
      title: "Transfers per frame", command: command,
      notes: [
        machine.text,
        "A transfer is one move of a whole frame, the hardware's read counted as one. legacy: guest framebuffer, "
          + "virtual graphics memory, host framebuffer, scan-out. hybrid: one copy. direct: the guest's own pages.",
      ], sections: [])
    for size in sizes {
      let bytes = size.paths.first?.pictureBytes ?? 0
      var section = ReportPage.Section(title: "\(size.width) × \(size.height), \(bytes) bytes, \(frames) frames")
      let bars = { (figure: (Path) -> Double) in
        size.paths.map { BarChart.Bar($0.path.rawValue, series: 0, Spread([figure($0)])) }
      }
      section.charts = [
        BarChart("Transfers", unit: "whole frames", bars: bars { Double($0.transfers) }),
        BarChart("Moved per frame", unit: "bytes", bars: bars { $0.movedBytesPerFrame }),
        BarChart("CPU time per frame", unit: "µs, without the guest", bars: bars { $0.microsecondsPerFrame }),
      ]
      var rows = [
        [
          "Path", "Transfers", "CPU copies", "Scanned out", "Superseded", "Bytes copied", "memcpy saw", "Seconds",
          "Picture",
        ]
      ]
      for path in size.paths {
        rows.append([
          path.path.rawValue, "\(path.transfers)", "\(path.cpuCopies)", "\(path.scannedOut)", "\(path.superseded)",
          "\(path.copiedBytes)", path.interposedBytes.map { "\($0)" } ?? "not counted", shortNumber(path.seconds),
          path.isPictureRight ? "right" : "wrong",
        ])
      }
      section.tables = [rows]
      section.notes = size.paths.map { "\($0.path.rawValue): \($0.means)." }
      page.sections.append(section)
    }
    return page
  }
}

extension FootprintReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    let mebibyte = 1_048_576.0
    let both = { (_ backend: (Run) -> Double, _ daemon: (Run) -> Double) in
      [BarChart.Bar("backend", spread(backend)), BarChart.Bar("daemon", series: 1, spread(daemon))]
    }
    var section = ReportPage.Section(title: "\(width) × \(height), \(runs.count) runs")
    section.charts = [
      BarChart(
        "Private memory without framebuffers", unit: "MiB",
        bars: both({ Double($0.backendPrivateBytes) / mebibyte }, { Double($0.daemonPrivateBytes) / mebibyte })),
      BarChart(
        "Ready after start", unit: "ms", bars: both({ $0.backendReadyMilliseconds }, { $0.daemonReadyMilliseconds })),
      BarChart(
        "Wake-ups of an idle VM", unit: "per second",
        bars: both({ $0.backendWakeUpsPerSecond }, { $0.daemonWakeUpsPerSecond })),
    ]
    section.notes = ["Bars are medians, lines span the smallest to the largest run."]
    return ReportPage(title: "Memory and idling", command: command, notes: [machine.text], sections: [section])
  }
}

extension ScaleReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    let mebibyte = 1_048_576.0
    let places = points.map { "\($0.vms)" }
    let line = { (name: String, figure: (Run) -> Double) in
      LineChart.Line(name, points.map { $0.spread(figure).median })
    }
    let chart = { (title: String, unit: String, lines: [LineChart.Line]) in
      LineChart(title, unit: unit, places: places, placeUnit: "VMs", lines: lines)
    }
    var section = ReportPage.Section(
      title: "\(width) × \(height) at \(refreshHertz) Hz, \(points.first?.runs.count ?? 0) runs")
    section.notes = [
      "Every VM has its own output and draws for each of its vblanks. The benchmark plays the guests on the same "
        + "processors. Fairness is Jain's index: 1 if all VMs got the same."
    ]
    section.charts = [
      chart(
        "Frames of one VM", "per second",
        [
          line("slowest VM") { $0.rates.min }, line("middle VM") { $0.rates.median },
          line("fastest VM") { $0.rates.max },
        ]),
      chart(
        "CPU time", "µs per frame",
        [
          line("backends") { $0.backendMicroseconds }, line("daemon") { $0.daemonMicroseconds },
          line("guests (benchmark)") { $0.harnessMicroseconds },
        ]),
      chart(
        "Private memory without framebuffers", "MiB",
        [
          line("one backend") { $0.backendPrivateBytes.median / mebibyte },
          line("the daemon") { Double($0.daemonPrivateBytes) / mebibyte },
        ]),
      chart("Fairness", "Jain's index", [line("frames") { $0.fairness }]),
    ]
    return ReportPage(title: "Many VMs", command: command, notes: [machine.text, "Path \(path)."], sections: [section])
  }
}

extension Machine {
  /// One line.
  public var text: String {
    "\(processor), \(processors) processors, load average \(shortNumber(load)), Linux \(kernel)"
  }
}

extension SoakReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    let kibibyte = 1024.0
    let step = max((samples.count + 9) / 10, 1)
    let places = samples.enumerated().map { $0.offset % step == 0 ? "\(Int($0.element.seconds))" : "" }
    let chart = { (title: String, unit: String, name: String, figure: (Sample) -> Double) in
      LineChart(
        title, unit: unit, places: places, placeUnit: "seconds", lines: [LineChart.Line(name, samples.map(figure))])
    }
    var section = ReportPage.Section(title: "\(clients) clients, \(visitors) of them reconnect")
    section.charts = [
      chart("Open descriptors", "count", "daemon") { Double($0.descriptors) },
      chart("RssAnon of the daemon", "KiB", "daemon") { Double($0.anonymousBytes) / kibibyte },
      chart("RssAnon of all backends that stay", "KiB", "backends") { Double($0.backendAnonymousBytes) / kibibyte },
    ]
    section.tables = [
      [["", "First", "Last", "Growth", "Allowed"]]
        + growths.map { growth in
          [growth.name] + [growth.first, growth.last, growth.growth, growth.allowed].map { "\(Int($0))" }
        }
    ]
    section.notes = faults.isEmpty ? ["Nothing has grown."] : faults
    return ReportPage(
      title: "Many clients for a long time", command: command, notes: [machine.text], sections: [section])
  }
}

extension TilesReport {
  /// The report as a page.
  public func page(command: String) -> ReportPage {
    var page = ReportPage(title: "Many VMs on one output", command: command, notes: [machine.text], sections: [])
    for point in points {
      var section = ReportPage.Section(title: "\(point.vms) VMs on \(output), \(point.planes) of them on planes")
      let bars = { (figure: (VM) -> Double) in
        [
          BarChart.Bar("alone", Spread(point.alone.flatMap { $0.map(figure) })),
          BarChart.Bar("beside hostile ones", series: 1, Spread(point.beside.flatMap { $0.map(figure) })),
        ]
      }
      section.charts = [
        BarChart("Frames of a VM", unit: "for each vblank", bars: bars { $0.rate }),
        BarChart("Frame interval, 99 %", unit: "vblanks", bars: bars { Double($0.p99Periods) }),
      ]
      section.notes = [
        "The flood sent \(Int(point.floodPerSecond)) frames per second. Copies held the daemon's loop for at most "
          + "\(Double(point.longestCopyNanoseconds / 1000) / 1000) ms."
      ]
      page.sections.append(section)
    }
    return page
  }
}
