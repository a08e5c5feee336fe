import Testing

@testable import StatusModel

@Suite("OpenMetrics text of a status")
struct OpenMetricsTests {
  @Test func `a full status is valid text with these values`() throws {
    let families = try OpenMetricsGrammar.parse(OpenMetrics.text(of: FullStatus.value()))
    let samples = Dictionary(
      families.flatMap(\.samples).map { ($0.line.split(separator: " ").dropLast().joined(separator: " "), $0.value) },
      uniquingKeysWith: { first, _ in first })
    for (series, value) in [
      ("framepath_clients", "3"), ("framepath_client_limit", "512"), ("framepath_buffer_bytes", "16588800"),
      ("framepath_buffer_capacity_bytes", "1073741824"), ("framepath_process_cpu_seconds_total", "1.500000001"),
      ("framepath_process_start_time_seconds", "1700000000.0"), ("framepath_longest_copy_seconds", "0.0011"),
      (#"framepath_output_info{output="HDMI-A-1",kind="kms",layout="tile 2x1",policy="hybrid"}"#, "1"),
      (#"framepath_output_power{output="HDMI-A-1",framepath_output_power="on"}"#, "0"),
      (#"framepath_output_power{output="HDMI-A-1",framepath_output_power="blank"}"#, "1"),
      (#"framepath_output_leased{output="HDMI-A-1"}"#, "1"),
      (#"framepath_output_refresh_hertz{output="HDMI-A-1"}"#, "59.94"),
      // More than a Double holds.
      (#"framepath_output_commits_total{output="HDMI-A-1"}"#, "9007199254740993"),
      (#"framepath_output_red_zone_seconds{output="HDMI-A-1"}"#, "0.0007"),
      (#"framepath_vm_promised_hertz{vm="web"}"#, "30"),
      (#"framepath_scanout_info{vm="web",scanout="0",output="HDMI-A-1",path="blit"}"#, "1"),
      (#"framepath_scanout_parked{vm="web",scanout="0"}"#, "1"),
      (#"framepath_frames_flipped_total{vm="web",scanout="0"}"#, "90"),
      (#"framepath_copied_bytes_total{vm="web",scanout="0"}"#, "18446744073709551615"),
      (#"framepath_granted_blit_seconds_total{vm="web",scanout="0"}"#, "0.123456789"),
      (#"framepath_last_latch_timestamp_seconds{vm="web",scanout="0"}"#, "1700000004.9"),
      (#"framepath_latch_seconds_bucket{vm="web",scanout="0",le="0.001"}"#, "10"),
      (#"framepath_latch_seconds_bucket{vm="web",scanout="0",le="0.0167"}"#, "88"),
      (#"framepath_latch_seconds_bucket{vm="web",scanout="0",le="+Inf"}"#, "90"),
      (#"framepath_latch_seconds_count{vm="web",scanout="0"}"#, "90"),
      (#"framepath_latch_seconds_sum{vm="web",scanout="0"}"#, "0.2"),
    ] { #expect(samples[series] == value, "\(series)") }
    #expect(families.count == OpenMetrics.families.count)
    #expect(families.allSatisfy { !$0.samples.isEmpty })
  }

  @Test func `a minimal status is valid text too`() throws {
    var status = try FullStatus.least()
    _ = try OpenMetricsGrammar.parse(OpenMetrics.text(of: status))
    (status.outputs, status.vms) = ([], [])
    _ = try OpenMetricsGrammar.parse(OpenMetrics.text(of: status))
  }

  @Test func `names of VMs cannot leave their label`() throws {
    var status = try FullStatus.value()
    for name in ["a\"} 1\nframepath_clients 7\n#", "\\", "\\n", "\"", "\r\u{0}\u{2028}é", ""] {
      status.vms[0].name = name
      let families = try OpenMetricsGrammar.parse(OpenMetrics.text(of: status))
      let weights = try #require(families.first { $0.name == "framepath_vm_weight" })
      #expect(weights.samples.map { $0.labels["vm"] } == [name])
    }
  }

  @Test func `numbers of any size are valid`() throws {
    var status = try FullStatus.value()
    status.outputs[0].refreshMillihertz = .min
    status.outputs[0].redZoneNanoseconds = .min
    status.bufferBytes = -1
    status.unixNanoseconds = .max
    status.nowNanoseconds = 0
    status.vms[0].scanouts[0].latchSumNanoseconds = .max
    status.vms[0].scanouts[0].lastLatchNanoseconds = .max
    status.vms[0].scanouts[0].latchBuckets = [1]
    let families = try OpenMetricsGrammar.parse(OpenMetrics.text(of: status))
    #expect(families.first { $0.name == "framepath_latch_seconds" }?.samples.isEmpty == true)
  }

  @Test func `every family has the labels that it declares`() throws {
    let families = try OpenMetricsGrammar.parse(OpenMetrics.text(of: FullStatus.value()))
    for (parsed, family) in zip(families, OpenMetrics.families) {
      #expect(parsed.name == family.name)
      for sample in parsed.samples {
        #expect(Set(sample.labels.keys).subtracting(["le"]) == Set(family.labels), "\(family.name)")
      }
    }
  }

  @Test func `text that breaks the grammar is refused by the test's own parser`() {
    let good =
      "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds b\na_seconds_total{c=\"d\"} 1\n# EOF\n"
    #expect(throws: Never.self) { try OpenMetricsGrammar.parse(good) }
    for (part, other) in [
      ("# EOF\n", ""), ("# EOF\n", "# EOF\n\n"), ("_total", ""), ("\"d\"", "d"), ("\"d\"", "\"d\"\""), ("} 1", "} x"),
      ("} 1", "} -1"), ("counter", "count"), ("UNIT a_seconds seconds", "UNIT a_seconds bytes"), ("{c", "{1"),
      ("a_seconds_total", "b_total"), ("# TYPE", "#TYPE"), ("1\n# EOF", "1\na_seconds_total{c=\"d\"} 2\n# EOF"),
    ] {
      let bad = good.replacing(part, with: other, maxReplacements: 1)
      #expect(bad != good)
      #expect(throws: OpenMetricsGrammar.Violation.self, "\(bad)") { try OpenMetricsGrammar.parse(bad) }
    }
  }
}
