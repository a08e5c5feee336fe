import GraphicsMemory
import LinuxIO
import Outputs
import Scanout
import Testing

@testable import KMS

extension OutputConformance {
  /// Tests of cards; they need FRAMEPATH_TEST_CARD.
  @Suite(.serialized, .enabled(if: TestScreen.card != nil, "FRAMEPATH_TEST_CARD names no card"))
  struct Card {
    let path: String
    let loop: EventLoop

    init() throws {
      path = try #require(TestScreen.card)
      loop = try EventLoop()
    }

    @Test func `a second master gets an error that names the first`() throws {
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let error = #expect(throws: KMSError.self) { try KMSCard.open(path: path, loop: loop) }
      guard case .masterTaken(path, let holders) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(holders.contains { $0.pid == currentProcessID() && $0.isCertain })
      #expect(KMSCard.list().first { $0.path == path }?.master == .held(holders))
    }

    @Test func `cards are listed and released again`() throws {
      let summary = try #require(KMSCard.list().first { $0.path == path })
      #expect(summary.master == .free)
      #expect(summary.unsuitable == nil)
      #expect(summary.connectors.contains { $0.connected && !$0.modes.isEmpty })
      let card = try KMSCard.open(path: path, loop: loop)
      #expect(card.driverName == summary.driverName)
      card.close()
    }

    @Test func `an error lists the names that exist`() throws {
      let card = try KMSCard.open(path: path, loop: loop)
      defer { card.close() }
      let names = card.connectors.map(\.name)
      #expect(throws: KMSError.noConnector("HDMI-A-77", has: names)) {
        try card.makeOutput(connector: "HDMI-A-77", mode: nil)
      }
      let connector = try #require(card.connectors.first { $0.connected })
      let odd = DisplayMode(width: 1234, height: 567, refreshMillihertz: 60_000)
      #expect(throws: KMSError.noMode(connector: connector.name, wanted: odd, has: connector.modes)) {
        try card.makeOutput(connector: connector.name, mode: odd)
      }
      let output = try card.makeOutput(connector: connector.name, mode: nil)
      #expect(output.info.mode == connector.modes.first)
      #expect(throws: KMSError.inUse(connector.name)) { try card.makeOutput(connector: connector.name, mode: nil) }
      output.close()
      try card.makeOutput(connector: connector.name, mode: nil).close()
      #expect(throws: KMSError.self) { try KMSCard.open(path: "/dev/null", loop: loop) }
      #expect(throws: KMSError.self) { try KMSCard.open(path: "/dev/dri/card77", loop: loop) }
    }

    @Test func `the first picture is black`() throws {
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      if let seen = try bench.output.capture() { #expect(differences(seen) { _, _ in 0 } == 0) }
    }

    @Test func `the picture of the program before is restored`() throws {
      // The kernel console's picture.
      let watcher = try CardDevice(path: path)
      watcher.dropMaster()
      // Without the client capabilities the kernel hides the properties.
      _ = try CardCapabilities(watcher)
      let former = try TestScreen.kms.open()
      let large = try #require(
        former.output.info.modes.first { $0.width <= 1280 && $0.width > former.output.info.mode.width })
      let picture = try former.output.makeBuffer(width: large.width, height: large.height, format: .xrgb8888)
      try fill(picture, pattern)
      try former.show(picture)
      let card = try #require(former.card)
      let output = try #require(former.output as? KMSOutput)
      let pipeline = output.pipeline
      let before = try ShownState(card.device, pipeline)
      // Like a console's driver: keep the picture, drop the mastership.
      card.device.dropMaster()

      let bench = try TestScreen.kms.open()
      try bench.show(try bench.uniform(0xff_ffff))
      #expect(try ShownState(card.device, pipeline) != before)
      bench.close()
      #expect(try ShownState(card.device, pipeline) == before)

      try card.device.becomeMaster()
      if let seen = try former.output.capture() { #expect(differences(seen, pattern) == 0) }
      former.close()
      let after = try ShownState(watcher, pipeline)
      #expect(after.framebufferID != before.framebufferID)
      #expect(after.isOn == output.saved.wasShowing)
    }

    @Test func `each output of a card flips by itself`() throws {
      let card = try KMSCard.open(path: path, loop: loop)
      defer { card.close() }
      let connected = card.connectors.filter(\.connected)
      guard connected.count > 1 else { return }
      let benches = try connected.map { connector in
        OutputBench(
          try card.makeOutput(connector: connector.name, mode: TestScreen.smallMode(connector)), loop: loop, card: card)
      }
      for (number, bench) in benches.enumerated() {
        let buffer = try bench.uniform(UInt32(0x40 + number))
        try bench.commit(buffer)
      }
      for bench in benches { try bench.wait(for: "a flip of each") { bench.flips.count == 1 } }
      for (number, bench) in benches.enumerated() {
        if let seen = try bench.output.capture() { #expect(differences(seen) { _, _ in UInt32(0x40 + number) } == 0) }
      }
      benches[0].output.close()
      let flips = benches[1].flips.count
      try benches[1].show(try benches[1].uniform(7))
      #expect(benches[1].flips.count == flips + 1)
      #expect(Set(benches.map { $0.output.info.name }).count == benches.count)
    }

    @Test func `a buffer of another card is refused`() throws {
      let other = try TestScreen.headless.open()
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let mode = bench.output.info.mode
      let foreign = try other.output.makeBuffer(width: mode.width, height: mode.height, format: .xrgb8888)
      #expect(
        bench.output.fit(foreign, source: foreign.layout.bounds)
          == .compose("the buffer belongs to another output"))
      #expect(throws: OutputError.rejected("the buffer belongs to another output")) {
        try bench.commit(foreign, fit: .mode(mode))
      }
    }

    @Test func `a lost mastership is reported with the process that took it`() throws {
      let bench = try TestScreen.kms.open()
      defer { bench.close() }
      let device = try #require(bench.card).device
      device.dropMaster()
      let thief = try CardDevice(path: path)
      if !thief.isMaster { try thief.becomeMaster() }
      let buffer = try bench.uniform(0)
      let error = #expect(throws: OutputError.self) { try bench.commit(buffer, fit: .mode(bench.output.info.mode)) }
      #expect(error?.description.contains("pid \(currentProcessID())") == true)
      thief.dropMaster()
      try device.becomeMaster()
      try bench.show(buffer)
    }
  }
}

/// The state of a pipeline as read from the kernel.
struct ShownState: Equatable {
  let isOn: Bool
  let mode: [UInt8]
  let framebufferID: UInt64
  let connectorCRTC: UInt64
  let sourceWidth: UInt64

  init(_ device: CardDevice, _ pipeline: Pipeline) throws {
    // DRM_MODE_OBJECT_CRTC, _PLANE and _CONNECTOR
    let crtc = try PropertyTable(device, object: pipeline.crtc.id, type: 0xcccc_cccc, name: "CRTC")
    let plane = try PropertyTable(device, object: pipeline.primary.id, type: 0xeeee_eeee, name: "plane")
    let connector = try PropertyTable(device, object: pipeline.connectorID, type: 0xc0c0_c0c0, name: "connector")
    isOn = crtc.value("ACTIVE") == 1
    mode = device.blob(crtc.value("MODE_ID"))
    framebufferID = plane.value("FB_ID")
    connectorCRTC = connector.value("CRTC_ID")
    sourceWidth = plane.value("SRC_W")
  }
}
