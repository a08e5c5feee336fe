import GraphicsMemory
import Headless
import LinuxIO
import Outputs
import Scanout
import Testing

@testable import KMS

@Suite struct VariableVblanksTests {
  /// 50 to 125 Hz: 20 and 8 ms.
  private let vblanks = VariableVblanks(
    slowestMillihertz: 50_000, fastestMillihertz: 125_000, timeNanoseconds: 1_000_000_000, sequence: 7)

  private func next(_ milliseconds: UInt64) -> [UInt64] {
    let next = vblanks.next(after: (1_000 + milliseconds) * 1_000_000)
    return [next.timeNanoseconds / 1_000_000 - 1_000, next.sequence]
  }

  @Test func `a frame is shown at once, but no sooner than the fastest period after the last`() {
    #expect(next(0) == [8, 8])
    #expect(next(5) == [8, 8])
    #expect(next(8) == [8, 8])
    #expect(next(11) == [11, 8])
    #expect(next(19) == [19, 8])
  }

  @Test func `a frame that comes after the slowest period waits for the display's own refresh to end`() {
    #expect(next(20) == [28, 9])
    #expect(next(27) == [28, 9])
    #expect(next(33) == [33, 9])
    #expect(next(1_000) == [1_008, 58])
  }

  @Test func `a time before the last refresh counts as that refresh`() {
    let early = vblanks.next(after: 3)
    #expect(early.timeNanoseconds == 1_008_000_000)
  }
}

@Suite struct VariableHeadlessTests {
  private func output(_ loop: EventLoop) throws -> HeadlessOutput {
    try HeadlessOutput(
      name: "headless-0", mode: try #require(DisplayMode("64x64@100")), slowestMillihertz: 40_000, loop: loop)
  }

  @Test func `flips follow the commits or the grid, as each frame requests, and sequence numbers rise`() throws {
    let loop = try EventLoop()
    let output = try output(loop)
    #expect(output.info.variableMillihertz == 40_000...100_000)
    var flips: [(time: UInt64, sequence: UInt64)] = []
    output.onEvent = { if case .flipped(let time, let sequence) = $0 { flips.append((time, sequence)) } }
    let buffer = try output.makeBuffer(width: 64, height: 64, format: .xrgb8888)
    var wasVariable = false
    for isVariable in [false, true, true, true, false, false] {
      var frame = OutputFrame(
        buffer: buffer, source: buffer.layout.bounds, damage: DamageRegion(buffer.layout.bounds), cursor: nil)
      frame.isVariable = isVariable
      let count = flips.count
      let before = monotonicNanoseconds()
      try output.commit(frame, fit: output.fit(buffer, source: buffer.layout.bounds))
      let after = monotonicNanoseconds()
      while flips.count == count { try loop.runOnce(timeoutMilliseconds: 50) }
      // After a fixed rate the last refresh was the display's own, on the grid.
      defer { wasVariable = isVariable }
      if isVariable, wasVariable {
        let free = flips[count - 1].time + 10_000_000
        // Exact within the slowest period of 25 ms; a slow machine may be later.
        if after < flips[count - 1].time + 25_000_000 {
          #expect(flips[count].time >= max(before, free) && flips[count].time <= max(after, free))
        }
      }
    }
    #expect(zip(flips, flips.dropFirst()).allSatisfy { $0.sequence < $1.sequence && $0.time < $1.time })
    #expect((flips[5].time - flips[4].time) % 10_000_000 == 0)
  }

  @Test func `a slowest rate above the mode's is refused`() throws {
    let loop = try EventLoop()
    #expect(throws: OutputError.rejected("101000 to 100000 mHz is not a range of refresh rates")) {
      try HeadlessOutput(
        name: "x", mode: try #require(DisplayMode("64x64@100")), slowestMillihertz: 101_000, loop: loop)
    }
  }
}

/// A pipeline from the property tables of a driver with variable rates; no such driver is at hand.
@Suite struct VariableRefreshPropertyTests {
  private func table(_ object: String, _ names: [String], from first: UInt32, _ values: [String: UInt64] = [:])
    -> PropertyTable
  {
    var entries: [String: PropertyTable.Entry] = [:]
    for (index, name) in names.enumerated() {
      entries[name] = .init(id: first + UInt32(index), value: values[name] ?? 0)
    }
    return PropertyTable(object: object, entries: entries)
  }

  private func connector(capable: UInt64?) -> Connector {
    let names = ["CRTC_ID"] + (capable == nil ? [] : ["vrr_capable"])
    return Connector(
      id: 50, isWriteback: false, possibleCRTCs: 1, currentCRTC: nil, modes: [],
      properties: table("connector 50", names, from: 60, ["vrr_capable": capable ?? 0]),
      description: ConnectorDescription(
        name: "DP-1", connected: true, modes: [], widthMillimetres: 0, heightMillimetres: 0, edid: []))
  }

  private func pipeline(hasVariable: Bool) throws -> Pipeline {
    let crtc = CRTC(
      id: 40, index: 0,
      properties: table("CRTC 40", ["ACTIVE", "MODE_ID"] + (hasVariable ? ["VRR_ENABLED"] : []), from: 10))
    let plane = Plane(
      id: 31, kind: .primary, possibleCRTCs: 1, currentCRTC: nil, formats: [],
      properties: table(
        "plane 31",
        ["FB_ID", "CRTC_ID", "SRC_X", "SRC_Y", "SRC_W", "SRC_H", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H"], from: 20))
    return try Pipeline(connector: connector(capable: 1), crtc: crtc, crtcCount: 1, planes: [plane], taken: [])
  }

  /// The value of VRR_ENABLED, property 12 of CRTC 40, in a commit.
  private func variable(_ request: borrowing AtomicRequest) -> [UInt64] {
    request.contents.filter { $0.object == 40 && $0.property == 12 }.map(\.value)
  }

  private func scene(_ isVariable: Bool, framebuffer: UInt32 = 9) -> Scene {
    Scene(
      primary: PlaneScene(framebufferID: framebuffer, source: Rect(width: 64, height: 48), x: 0, y: 0), cursor: nil,
      isVariable: isVariable)
  }

  @Test func `a connector is capable by its property only`() {
    #expect(connector(capable: 1).isVariableCapable)
    #expect(!connector(capable: 0).isVariableCapable)
    #expect(!connector(capable: nil).isVariableCapable)
  }

  @Test func `the property is set with the commit that changes it, and with every mode set`() throws {
    let pipeline = try pipeline(hasVariable: true)
    var request = AtomicRequest()
    for (before, after, wanted) in [
      (false, true, [1]), (true, true, []), (true, false, [0]), (false, false, []),
    ] as [(Bool, Bool, [UInt64])] {
      request.reset()
      scene(after, framebuffer: 10).appendFlip(to: &request, pipeline, after: scene(before), redraws: true, clips: nil)
      #expect(variable(request) == wanted)
    }
    for isVariable in [true, false] {
      request.reset()
      scene(isVariable).appendModeset(to: &request, pipeline, modeBlob: 5)
      #expect(variable(request) == [isVariable ? 1 : 0])
    }
    request.reset()
    pipeline.appendOff(to: &request)
    #expect(variable(request) == [0])
  }

  @Test func `a driver without variable rates reports none`() throws {
    let pipeline = try pipeline(hasVariable: false)
    #expect(pipeline.crtcProperties.variable == nil)
    var request = AtomicRequest()
    scene(true).appendFlip(to: &request, pipeline, after: scene(false), redraws: true, clips: nil)
    scene(true).appendModeset(to: &request, pipeline, modeBlob: 5)
    pipeline.appendOff(to: &request)
    let contents = request.contents
    #expect(!contents.contains { $0.property == 0 || $0.property == 12 })
  }

  @Test func `the lowest rate comes from the EDID's range descriptor`() {
    var edid = [UInt8](repeating: 0, count: 128)
    #expect(EDID.verticalRates(of: edid) == nil)
    #expect(EDID.verticalRates(of: []) == nil)
    edid.replaceSubrange(90..<97, with: [0, 0, 0, 0xFD, 0, 48, 144])
    #expect(EDID.verticalRates(of: edid) == 48...144)
    edid[94] = 0x02
    edid[96] = 5
    #expect(EDID.verticalRates(of: edid) == 48...260)
    edid[94] = 0x03
    #expect(EDID.verticalRates(of: edid) == nil, "303 to 260 is none")
    let made = EDID.generate(
      EDID.Description(mode: DisplayMode(width: 1920, height: 1080, refreshMillihertz: 60_000), name: "x", serial: 1))
    #expect(EDID.verticalRates(of: made)?.contains(60) == true)
  }
}
